"""The router or the network changes under us: bytes arrive again, within the time that issue 4 allows.

Without `--ip-interval` the next check is a minute away: what recovers sooner has heard a signal. What the router does
to PCP alone is `test_pcp`'s.
"""

import time

import pytest
from tests.lab import faults
from tests.lab.command import Portmap
from tests.lab.lab import Lab

SPECS = ("pmp", "upnp", "any")
GROWN_UP = 2.5  # seconds; an epoch that has not grown by so much cannot be seen to fall: RFC 6886 §3.6


def _hold(lab: Lab, spec: str, *more: str) -> Portmap:
    lab.serve(4001)
    portmap = Portmap(lab.lan, "--nat", spec, *more, "4001/both")
    for protocol in ("TCP", "UDP"):
        portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
    return portmap


def _arrive_again(lab: Lab, portmap: Portmap, *, within: float) -> bool:
    """Whether TCP and UDP bytes arrive, at the ports that the command tells, after so many seconds at the most."""
    deadline = time.monotonic() + within
    return all(
        any(
            lab.bytes_arrive(protocol, portmap.port(protocol)) for _ in iter(lambda: time.monotonic() < deadline, False)
        )
        for protocol in ("TCP", "UDP")
    )


@pytest.mark.parametrize(("spec", "bar"), [("pmp", 1), ("upnp", 2), ("any", 1)])
def test_a_restart_that_is_announced_costs_a_second_and_a_new_control_url_two(lab: Lab, spec: str, bar: int) -> None:
    with _hold(lab, spec) as portmap:
        before = lab.router.description_url
        time.sleep(GROWN_UP)
        faults.restart(lab)
        assert _arrive_again(lab, portmap, within=bar), portmap.story()
        assert lab.router.description_url != before


@pytest.mark.parametrize("spec", SPECS)
def test_a_restart_that_nobody_hears_is_found_at_the_next_check(lab: Lab, spec: str) -> None:
    with _hold(lab, spec, "--ip-interval", "2s") as portmap:
        time.sleep(GROWN_UP + 1.5)
        faults.restart_unheard(lab)
        assert _arrive_again(lab, portmap, within=2 + 1), portmap.story()


@pytest.mark.parametrize("spec", SPECS)
def test_a_new_outer_address_is_told_within_two_seconds(lab: Lab, spec: str) -> None:
    with _hold(lab, spec) as portmap:
        time.sleep(GROWN_UP)  # PCP tells it by the epoch alone
        faults.new_outer_address(lab)
        portmap.wait_for("external_ip.changed", external_ip=faults.NEW_WAN, timeout=2)
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.changed", protocol=protocol, external_ip=faults.NEW_WAN, timeout=1)
        assert _arrive_again(lab, portmap, within=1), portmap.story()


@pytest.mark.parametrize("spec", [*SPECS, "pcp"])
def test_a_new_address_of_ours_is_mapped_within_three_seconds(lab: Lab, spec: str) -> None:
    with _hold(lab, spec) as portmap:
        faults.new_own_address(lab)
        assert _arrive_again(lab, portmap, within=3), portmap.story()
        assert portmap.told("network.changed")


@pytest.mark.parametrize("spec", [*SPECS, "pcp"])
def test_another_router_has_our_mappings_within_five_seconds(lab: Lab, spec: str) -> None:
    with _hold(lab, spec) as portmap:
        faults.another_router(lab)
        assert _arrive_again(lab, portmap, within=5), portmap.story()
        assert portmap.port() == 4001
