"""One port for both protocols, ranges, and ports that the application follows, on the real daemon."""

import time

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import HOST, Lab
from tests.lab.namespace import until
from tests.lab.router import Entry

LEASE = 20  # seconds, the least that miniupnpd gives here
SPECS = ("pmp", "upnp")
BOTH = ("TCP", "UDP")


def _hold(lab: Lab, spec: str, *mappings: str) -> Portmap:
    return Portmap(lab.lan, "--nat", spec, "--lease", f"{LEASE}s", *mappings)


def _take(lab: Lab, protocol: str, port: int) -> None:
    lab.neighbour.run(["natpmpc", "-a", str(port), str(port), protocol, "3600"])


def _ours(lab: Lab) -> list[Entry]:
    return [entry for entry in lab.router.mappings() if entry.client == HOST]


def _common_port(portmap: Portmap) -> int:
    """The one external port of both protocols, once there is one."""
    deadline = time.monotonic() + 10
    while not portmap.port("TCP") == portmap.port("UDP") > 0:
        assert time.monotonic() < deadline, portmap.story()
        time.sleep(0.01)
    return portmap.port()


@pytest.mark.parametrize("spec", SPECS)
def test_a_taken_port_gives_a_pair_one_other_for_both(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    _take(lab, "tcp", 4001)
    with _hold(lab, spec, "4001/both") as portmap:
        port = _common_port(portmap)
        assert port != 4001
        assert all(lab.bytes_arrive(protocol, port) for protocol in BOTH), portmap.story()
        assert len(portmap.told("mapping.added")) == 2
        assert not portmap.told("mapping.changed")


@pytest.mark.parametrize("spec", SPECS)
def test_a_port_taken_for_each_protocol_moves_a_pair_on_and_leaves_nothing_behind(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    _take(lab, "tcp", 4001)
    _take(lab, "udp", 4002)
    theirs = lab.router.mappings()
    with _hold(lab, spec, "4001/both") as portmap:
        port = _common_port(portmap)
        assert all(lab.bytes_arrive(protocol, port, within=1) for protocol in BOTH), portmap.story()
        assert _ours(lab) == [Entry(protocol, port, HOST, 4001) for protocol in BOTH]
        portmap.stop()
        assert lab.router.mappings() == theirs


@pytest.mark.parametrize("spec", SPECS)
def test_a_pair_is_on_one_port_again_after_a_reboot(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    with _hold(lab, spec, "4001/both") as portmap:
        assert _common_port(portmap) == 4001
        time.sleep(4)  # an epoch that has not grown by more than 2 s cannot be seen to fall: RFC 6886 §3.6
        lab.router.reboot()
        portmap.wait_for("gateway.rebooted", timeout=5)
        assert all(lab.bytes_arrive(protocol, 4001, within=2) for protocol in BOTH), portmap.story()


@pytest.mark.parametrize("spec", SPECS)
def test_sixteen_ports_in_a_row_are_open_for_as_long_as_they_are_wanted(lab: Lab, spec: str) -> None:
    lab.serve(27030)
    with _hold(lab, spec, "40000:27015-27030/udp") as portmap:
        portmap.wait_for("mapping.added", internal_port=27030)
        assert lab.bytes_arrive("UDP", 40015), portmap.story()
        assert _ours(lab) == [Entry("UDP", 40000 + n, HOST, 27015 + n) for n in range(16)]
        portmap.stop()
        assert lab.router.mappings() == []


@pytest.mark.parametrize("spec", SPECS)
def test_an_application_that_follows_is_reached_where_it_was_told_to_listen(lab: Lab, spec: str) -> None:
    _take(lab, "tcp", 6881)
    with _hold(lab, spec, "6881=follow/both") as portmap:
        port = _common_port(portmap)
        lab.serve(port)
        assert all(lab.bytes_arrive(protocol, port, within=1) for protocol in BOTH), portmap.story()
        both = [Entry(protocol, port, HOST, port) for protocol in BOTH]
        until(lambda: _ours(lab) == both, f"not {both}", within=1)  # a pair that was moved is opened anew once
        assert all(event["follow"] for event in portmap.told("mapping.added"))
        portmap.stop()
        assert not _ours(lab)
