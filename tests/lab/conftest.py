"""The lab's fixtures. `PORTMAP_LAB=required` turns the skip of a machine without namespaces into a failure."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.endurance import Endurance
from tests.lab.lab import Lab
from tests.lab.namespace import why_not
from tests.lab.slow_tests import Ordeals

LONG = {"endurance", "own_lab"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker("lab")
    # What takes long runs beside the others and is judged at the end.
    items.sort(key=lambda item: not LONG.isdisjoint(getattr(item, "fixturenames", ())))


@pytest.fixture(scope="session")
def laboratory() -> None:
    reason = why_not()
    if reason and os.environ.get("PORTMAP_LAB") == "required":
        pytest.fail(f"PORTMAP_LAB=required, but the lab {reason}")
    if reason:
        pytest.skip(f"the lab {reason}")


@pytest.fixture(scope="session")
def endurance(laboratory: None) -> Iterator[Endurance]:
    with Endurance() as running:
        yield running


@pytest.fixture(autouse=True, scope="session")
def _endurance_begins_first(request: pytest.FixtureRequest) -> None:
    if any("endurance" in getattr(item, "fixturenames", ()) for item in request.session.items):
        # Where it cannot even begin, pytest remembers why, and says so to the tests that ask for it.
        with contextlib.suppress(Exception):
            request.getfixturevalue("endurance")


@pytest.fixture(scope="session")
def _ordeals(laboratory: None, request: pytest.FixtureRequest) -> Iterator[Ordeals]:
    with Ordeals(item for item in request.session.items if "own_lab" in getattr(item, "fixturenames", ())) as running:
        yield running


@pytest.fixture(autouse=True, scope="session")
def _ordeals_begin_first(request: pytest.FixtureRequest) -> None:
    if any("own_lab" in getattr(item, "fixturenames", ()) for item in request.session.items):
        with contextlib.suppress(Exception):  # as above
            request.getfixturevalue("_ordeals")


@pytest.fixture
def own_lab(_ordeals: Ordeals) -> Ordeals:
    """A lab with miniupnpd running, of which the test has been the only user since the session began."""
    return _ordeals


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    ordeals = pyfuncitem.funcargs.get("own_lab")
    if not isinstance(ordeals, Ordeals):
        return None
    ordeals.judge(pyfuncitem)
    return True


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
