"""On the way out: nothing is left open, and nothing keeps us, whatever state the router is in."""

import signal

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import Lab
from tests.lab.router import LAN

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SPECS = ("pmp", "pcp", "upnp", "any")
PATIENCE = 3.0  # seconds: issue 2, part 7


def _map_both(lab: Lab, spec: str) -> Portmap:
    portmap = Portmap(lab.lan, "--nat", spec, "4001/both")
    for protocol in ("TCP", "UDP"):
        portmap.wait_for("mapping.added", protocol=protocol)
    assert len(lab.router.mappings()) == 2
    return portmap


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_empties_the_tables_of_the_router(lab: Lab, spec: str, signum: int) -> None:
    with _map_both(lab, spec) as portmap:
        code, seconds = portmap.stop(signum)
        assert code == 0, portmap.story()
        assert seconds < PATIENCE
        assert lab.router.mappings() == []


@pytest.mark.parametrize("spec", SPECS)
def test_a_removal_is_announced_once_for_each_mapping(lab: Lab, spec: str) -> None:
    with _map_both(lab, spec) as portmap:
        portmap.stop()
        removed = [event["protocol"] for event in portmap.events if event["event"] == "mapping.removed"]
    assert sorted(removed) == ["TCP", "UDP"]


@pytest.mark.parametrize("spec", SPECS)
def test_a_dead_daemon_does_not_keep_us(lab: Lab, spec: str) -> None:
    with _map_both(lab, spec) as portmap:
        lab.router.kill()
        code, seconds = portmap.stop()
        assert code == 0, portmap.story()
        assert seconds < PATIENCE


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("signum", SIGNALS)
def test_a_silent_router_does_not_keep_us(lab: Lab, spec: str, signum: int) -> None:
    with _map_both(lab, spec) as portmap:
        lab.router.drop()
        code, seconds = portmap.stop(signum)
        assert code == 0, portmap.story()
        assert seconds < PATIENCE


@pytest.mark.parametrize("spec", ["any", "upnp", f"pmp:{LAN}", f"pcp:{LAN}"])
def test_a_router_that_never_answered_does_not_keep_us(quiet_lab: Lab, spec: str) -> None:
    quiet_lab.router.drop()
    with Portmap(quiet_lab.lan, "--nat", spec, "4001") as portmap:
        quiet_lab.router.wait_to_hear()
        code, seconds = portmap.stop()
        assert code == 0, portmap.story()
        assert seconds < PATIENCE


def test_for_a_while_means_for_a_while(lab: Lab) -> None:
    with Portmap(lab.lan, "--nat", "any", "--for", "1s", "4001") as portmap:
        portmap.wait_for("mapping.removed")
        assert portmap.process.wait(3) == 0
    assert lab.router.mappings() == []
