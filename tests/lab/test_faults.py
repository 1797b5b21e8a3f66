"""Faults that last: packets are lost, the router is silent, the command is frozen or killed, its port is taken."""

import itertools
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import NEIGHBOUR, Lab
from tests.lab.router import Entry
from tests.lab.slowdown import Slowdown
from tests.lab.traffic import Vigil

pytestmark = pytest.mark.timeout(180)

LEASE = 20  # seconds, the least that miniupnpd gives here, by PCP too: it is its `min_lifetime`, 120 where not set
LONGER = LEASE + 5.0
AT_REST = 0.5  # seconds; stopped between its look at the clock and its wait, a process waits POLL_INTERVAL after that
WATCHED = 70  # seconds for which packets are lost
A_CALL = 10.0  # seconds; what ran out while the gateway was asked is told when that call is over


# Two ports: renewing one protocol of a port, miniupnpd shuts the other until its own renewal (`renewal_order`).
PORTS = {"TCP": 4001, "UDP": 4002}


def _hold(lab: Lab, spec: str, *more: str, lease: int = LEASE) -> Portmap:
    portmap = Portmap(lab.lan, "--nat", spec, "--lease", f"{lease}s", *more, "4001/tcp", "4002/udp")
    for protocol, port in PORTS.items():
        lab.serve(port)
        portmap.wait_for("mapping.added", protocol=protocol, external_port=port, lifetime=lease)
    return portmap


def _watched(lab: Lab) -> list[Vigil]:
    return [lab.keep_vigil(protocol, port) for protocol, port in PORTS.items()]


# A renewal by UPnP takes three connections, so some tries of it fail: the lease leaves room for several.
LOSSY = {"pmp": LEASE, "pcp": LEASE, "pmp,upnp": LEASE, "upnp": 40}


@pytest.mark.parametrize(("spec", "lease"), LOSSY.items())
def test_a_third_of_all_packets_lost_costs_no_moment(lab: Lab, spec: str, lease: int) -> None:
    with _hold(lab, spec, lease=lease) as portmap:
        lab.router.lose(30)
        vigils = _watched(lab)
        time.sleep(WATCHED)
        assert [vigil.missed for vigil in vigils] == [[], []], portmap.story()
        assert len(portmap.told("mapping.renewed")) >= len(PORTS) * (WATCHED // lease)
        assert not portmap.told("mapping.lost")


@pytest.mark.parametrize("spec", ["pmp", "pcp", "upnp", "any"])
def test_a_router_silent_for_longer_than_the_lease_gets_its_mappings_again(
    lab: Lab, control: Slowdown, spec: str
) -> None:
    with _hold(lab, spec, "--ip-interval", "5s") as portmap:
        lab.router.drop()
        for protocol in PORTS:
            portmap.wait_for("mapping.lost", protocol=protocol, timeout=LEASE + A_CALL)
        lab.router.wait_until_left()
        lab.router.recover()
        control.judge("bytes", lab.seconds_until_bytes_arrive(portmap), 5 + 2, time.monotonic() - 1)


@pytest.mark.parametrize("spec", ["pmp", "pcp", "upnp"])
def test_a_router_silent_for_half_the_lease_costs_nothing(lab: Lab, spec: str) -> None:
    with _hold(lab, spec) as portmap:
        lab.router.drop()
        vigils = _watched(lab)
        time.sleep(LEASE * 0.6)
        lab.router.recover()
        time.sleep(LEASE)
        assert [vigil.missed for vigil in vigils] == [[], []], portmap.story()
        assert not portmap.told("mapping.lost")


@pytest.mark.parametrize("spec", ["pmp", "pcp", "upnp"])
def test_frozen_for_longer_than_the_lease_and_thawed_all_is_mapped_again(
    lab: Lab, control: Slowdown, spec: str
) -> None:
    with _hold(lab, spec) as portmap:
        time.sleep(AT_REST)
        portmap.process.send_signal(signal.SIGSTOP)
        time.sleep(LONGER)
        assert not lab.router.mappings()
        portmap.process.send_signal(signal.SIGCONT)
        control.judge("bytes", lab.seconds_until_bytes_arrive(portmap), 3, time.monotonic() - 1)
        for protocol in PORTS:
            portmap.wait_for("mapping.lost", protocol=protocol)  # bytes may arrive before the stream says why


@pytest.mark.parametrize("spec", ["pmp", "upnp"])
def test_killed_we_leave_nothing_that_outlives_its_lease(lab: Lab, spec: str) -> None:
    with _hold(lab, spec) as portmap:
        portmap.process.kill()
        portmap.process.wait(5)
        assert len(lab.router.mappings()) == len(PORTS)
        time.sleep(LEASE)
        lab.router.wait_until_left()


@pytest.mark.parametrize("spec", ["pmp", "pcp", "upnp", "any"])
def test_a_host_that_takes_the_port_keeps_it_and_we_get_another(lab: Lab, control: Slowdown, spec: str) -> None:
    lab.router.reboot(secure_mode="no")  # so that anybody may delete anybody's mapping
    theirs = Entry("TCP", 4001, NEIGHBOUR, 4001)
    with _hold(lab, spec) as portmap:
        with _thief(lab):
            time.sleep(5)
        assert theirs in lab.router.mappings()
        portmap.wait_for("mapping.changed", protocol="TCP", timeout=LEASE)
        assert portmap.port() != 4001
        control.judge("bytes", lab.seconds_until_bytes_arrive(portmap), 1, time.monotonic() - 1)
        assert theirs in lab.router.mappings()
        portmap.stop()
        assert lab.router.mappings() == [theirs]  # and nothing of ours


@contextmanager
def _thief(lab: Lab) -> Iterator[None]:
    """While it lasts, the neighbour deletes whatever is on our external port, and takes it, over and over."""
    over = threading.Event()

    def steal() -> None:
        upnpc = ["upnpc", "-u", lab.router.description_url]
        for _ in itertools.takewhile(lambda _: not over.is_set(), itertools.count()):
            with suppress(RuntimeError):
                lab.neighbour.run([*upnpc, "-d", "4001", "tcp"])
            lab.neighbour.run([*upnpc, "-a", NEIGHBOUR, "4001", "4001", "tcp", "3600"])

    thief = threading.Thread(target=steal)
    thief.start()
    try:
        yield
    finally:
        over.set()
        thief.join()
