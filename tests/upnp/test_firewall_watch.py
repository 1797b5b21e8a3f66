"""What is announced by IPv6, and what comes of it; on loopback."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address
from queue import Empty, SimpleQueue

import pytest

from portmap.errors import NoGateway
from portmap.wire import multicast
from portmap_upnp.discovery.description import FirewallDevice, Service
from portmap_upnp.discovery.ssdp import FIREWALL_TARGET
from portmap_upnp.location import Location
from portmap_upnp.notifications import firewall_watch
from portmap_upnp.notifications.firewall_watch import FirewallWatch

US = IPv6Address("::1")
WHERE = Location(US, 5000, "/rootDesc.xml")
FIREWALL = FirewallDevice(WHERE, Service(FIREWALL_TARGET, WHERE), boot="1")
SOON, NEVER = 3.0, 0.4  # seconds

Announce = Callable[[str], None]


@pytest.fixture
def announce(monkeypatch: pytest.MonkeyPatch) -> Iterator[Announce]:
    """Sends an announcement with this BOOTID to the next watch that is made."""
    received = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    received.bind(("::1", 0))
    received.setblocking(False)
    where = received.getsockname()
    monkeypatch.setattr(firewall_watch, "open_multicast_socket", lambda *_: received)
    with received, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:

        def send(boot: str) -> None:
            head = f"NOTIFY * HTTP/1.1\r\nNT: {FIREWALL_TARGET}\r\nNTS: ssdp:alive\r\n"
            text = f"{head}LOCATION: {WHERE}\r\nBOOTID.UPNP.ORG: {boot}\r\n\r\n"
            sock.sendto(text.encode(), where)

        yield send


def told(alerts: "SimpleQueue[str]", timeout: float = SOON) -> str:
    try:
        return alerts.get(timeout=timeout)
    except Empty:
        return ""


def watching(device: FirewallDevice | None, gateway: IPv6Address = US) -> "tuple[FirewallWatch, SimpleQueue[str]]":
    alerts: SimpleQueue[str] = SimpleQueue()

    def fetch(*_: object) -> None:
        raise NoGateway("gone")

    return FirewallWatch(lambda: device, lambda: (gateway,), fetch, alerts.put), alerts


def test_another_boot_id_of_the_firewall_is_a_restart(announce: Announce) -> None:
    watch, alerts = watching(FIREWALL)
    announce("1")
    assert told(alerts, NEVER) == ""
    announce("2")
    assert told(alerts) == "::1 restarted: BOOTID 1 → 2"
    watch.close()


def test_a_gateway_that_announces_itself_while_none_is_known_is_news(announce: Announce) -> None:
    watch, alerts = watching(None)
    announce("1")
    assert told(alerts) == "::1 announced itself"
    watch.close()


def test_what_another_host_announces_is_not_told(announce: Announce) -> None:
    watch, alerts = watching(None, gateway=IPv6Address("fe80::9"))
    announce("2")
    assert told(alerts, NEVER) == ""
    watch.close()


def test_a_flood_of_boot_ids_is_told_once_a_second_and_then_less_often(announce: Announce) -> None:
    watch, alerts = watching(FIREWALL)
    for number in range(2, 200):
        announce(str(number))
    assert told(alerts) == "::1 restarted: BOOTID 1 → 2"
    assert told(alerts, 2.5 * NEVER - 0.3) == ""
    assert alerts.qsize() == 0
    watch.close()


def test_boot_ids_that_change_without_end_are_told_ever_less_often(
    announce: Announce, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(firewall_watch, "REST", 0.02)
    watch, alerts = watching(FIREWALL)
    ends, number = time.monotonic() + 1.5, 2
    while time.monotonic() < ends:
        announce(str(number := number + 1))
        time.sleep(0.005)
    watch.close()
    assert 2 <= alerts.qsize() <= 7  # after 20 ms, 40 ms, 80 ms and so on; 75 without the growing rest


NEIGHBOUR = IPv6Address("fe80::bad%1")


def from_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all that is announced come from the neighbour."""
    monkeypatch.setattr(firewall_watch, "read_datagrams", lambda sock: ((NEIGHBOUR, it) for _, it in _read(sock)))


def test_a_restart_right_after_the_firewall_repeated_its_announcement_is_told_at_once(
    announce: Announce, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_neighbour(monkeypatch)
    watch, alerts = watching(FIREWALL, gateway=NEIGHBOUR)
    announce("1")
    time.sleep(0.05)
    announce("2")
    heard = told(alerts, NEVER)
    watch.close()
    assert heard == f"{NEIGHBOUR} restarted: BOOTID 1 → 2"


def test_a_restart_right_after_the_firewall_was_found_is_told_although_it_announced_itself_before(
    announce: Announce,
) -> None:
    found: list[FirewallDevice] = []
    alerts: SimpleQueue[str] = SimpleQueue()
    watch = FirewallWatch(lambda: found[0] if found else None, lambda: (US,), lambda *_: None, alerts.put)
    announce("1")
    before = told(alerts)
    found.append(FIREWALL)
    watch.wake()
    announce("2")
    after = told(alerts, NEVER)
    watch.close()
    assert (before, after) == ("::1 announced itself", "::1 restarted: BOOTID 1 → 2")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """When the firewall, which is where it was, was looked at; a neighbour announces."""
    times: list[float] = []
    alerts: SimpleQueue[str] = SimpleQueue()
    from_neighbour(monkeypatch)
    monkeypatch.setattr(firewall_watch, "REST", 0.02)
    watch = FirewallWatch(lambda: FIREWALL, lambda: (US,), lambda *_: times.append(time.monotonic()), alerts.put)
    yield times
    watch.close()
    assert alerts.qsize() == 0


def test_announcements_of_other_hosts_have_a_firewall_that_is_where_it_was_looked_at_ever_less_often(
    announce: Announce, looks: list[float]
) -> None:
    ends, number = time.monotonic() + 1.5, 0
    while time.monotonic() < ends:
        announce(str(number := number + 1))
        time.sleep(0.005)
    assert 2 <= len(looks) <= 8


def test_an_announcement_that_is_repeated_has_the_firewall_looked_at_once(
    announce: Announce, looks: list[float]
) -> None:
    for _ in range(8):  # as miniupnpd does for its services, twice
        announce("1")
    time.sleep(NEVER)
    assert len(looks) == 1


_read = multicast.read_datagrams


def test_the_thread_ends_with_the_watch(announce: Announce) -> None:
    watch, _ = watching(FIREWALL)
    watch.close()
    watch.close()
    for thread in [it for it in threading.enumerate() if it.name == "upnp firewall watch"]:
        thread.join(SOON)
        assert not thread.is_alive()
