"""The lab's fixtures. `PORTMAP_LAB=required` turns the skip of a machine without namespaces into a failure."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.lab import Lab
from tests.lab.miniupnpd import IPTABLES
from tests.lab.namespace import why_not
from tests.lab.slowdown import Slowdown


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("lab")
    # The longest first, so that none of them is alone at the end where several run side by side.
    items.sort(key=_time_limit, reverse=True)


def _time_limit(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout") if item.get_closest_marker("lab") else None
    return float(marker.args[0]) if marker else 0.0


def _require(reason: str) -> None:
    if reason and os.environ.get("PORTMAP_LAB") == "required":
        pytest.fail(f"PORTMAP_LAB=required, but the lab {reason}")
    if reason:
        pytest.skip(f"the lab {reason}")


@pytest.fixture(scope="session")
def laboratory() -> None:
    _require(why_not())


@pytest.fixture(scope="session")
def iptables_build(laboratory: None) -> None:
    """The second daemon is there."""
    if not Path(IPTABLES).exists():
        _require("needs miniupnpd-iptables in .lab, beside the nftables build (.ci/run unpacks it), and iptables")


@pytest.fixture(scope="session")
def control() -> Iterator[Slowdown]:
    """How busy the machine is, for tests that measure time."""
    with Slowdown() as running:
        yield running


@pytest.fixture
def quiet_lab(laboratory: None) -> Iterator[Lab]:
    """A lab in which miniupnpd has not been started."""
    with Lab() as lab:
        yield lab
        print(lab.router.log)  # pytest shows it with a failure only


@pytest.fixture
def lab(quiet_lab: Lab) -> Lab:
    """A lab with miniupnpd running, NAT-PMP and UPnP on."""
    quiet_lab.router.start_miniupnpd()
    return quiet_lab
