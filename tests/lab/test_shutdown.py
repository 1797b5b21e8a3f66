"""The end of a session: nothing is left open, and it takes 3 seconds at the most, whatever state the router is in."""

import signal
import time

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import Lab
from tests.lab.router import LAN
from tests.lab.slowdown import Slowdown

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SPECS = ("pmp", "pcp", "upnp", "any")
LIMIT = 3.0  # seconds


def _map_both(lab: Lab, spec: str) -> Portmap:
    portmap = Portmap(lab.lan, "--nat", spec, "4001/both")
    for protocol in ("TCP", "UDP"):
        portmap.wait_for("mapping.added", protocol=protocol)
    assert len(lab.router.mappings()) == 2
    return portmap


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_empties_the_tables_of_the_router(lab: Lab, control: Slowdown, spec: str, signum: int) -> None:
    with _map_both(lab, spec) as portmap:
        begun = time.monotonic()
        code, seconds = portmap.stop(signum)
        assert code == 0, portmap.story()
        assert lab.router.mappings() == []
        control.judge("the end", seconds, LIMIT, begun)


@pytest.mark.parametrize("spec", SPECS)
def test_a_removal_is_announced_once_for_each_mapping(lab: Lab, spec: str) -> None:
    with _map_both(lab, spec) as portmap:
        portmap.stop()
        removed = [event["protocol"] for event in portmap.events if event["event"] == "mapping.removed"]
    assert sorted(removed) == ["TCP", "UDP"]


@pytest.mark.parametrize("spec", SPECS)
def test_a_dead_daemon_does_not_delay_the_end(lab: Lab, control: Slowdown, spec: str) -> None:
    with _map_both(lab, spec) as portmap:
        lab.router.kill()
        begun = time.monotonic()
        code, seconds = portmap.stop()
        assert code == 0, portmap.story()
        control.judge("the end", seconds, LIMIT, begun)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_silent_router_does_not_delay_the_end(lab: Lab, control: Slowdown, spec: str, signum: int) -> None:
    with _map_both(lab, spec) as portmap:
        lab.router.drop()
        begun = time.monotonic()
        code, seconds = portmap.stop(signum)
        assert code == 0, portmap.story()
        control.judge("the end", seconds, LIMIT, begun)


@pytest.mark.parametrize("spec", ["any", "upnp", f"pmp:{LAN}", f"pcp:{LAN}"])
def test_a_router_that_never_answered_does_not_delay_the_end(quiet_lab: Lab, control: Slowdown, spec: str) -> None:
    quiet_lab.router.drop()
    with Portmap(quiet_lab.lan, "--nat", spec, "4001") as portmap:
        quiet_lab.router.wait_to_hear()
        begun = time.monotonic()
        code, seconds = portmap.stop()
        assert code == 0, portmap.story()
        control.judge("the end", seconds, LIMIT, begun)


def test_for_a_while_means_for_a_while(lab: Lab) -> None:
    with Portmap(lab.lan, "--nat", "any", "--for", "1s", "4001") as portmap:
        portmap.wait_for("mapping.removed")
        assert portmap.process.wait(3) == 0
    assert lab.router.mappings() == []
