"""What the router says unasked: NAT-PMP, PCP and SSDP announcements, and never to a real network."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeAlias

import pytest

from portmap.errors import PortmapError
from portmap.simulator.net.announcer import Announcer, doubling, steadily
from portmap.simulator.net.reactor import Reactor
from portmap.simulator.net.udp_port import joined
from portmap.testing import Quirks, Router, loopback_address

Start: TypeAlias = Callable[..., Router]
QUICK = 0.001  # of the real pace: the first gap is a quarter of a millisecond
SLOW = 1e6


def listener() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(2)
    return sock


@pytest.fixture
def sink() -> Iterator[socket.socket]:
    """A socket on loopback that announcements may be sent to."""
    with closing(listener()) as sock:
        yield sock


def heard(sink: socket.socket, number: int) -> list[bytes]:
    return [sink.recv(2048) for _ in range(number)]


def silence(sink: socket.socket) -> bool:
    sink.settimeout(0.05)
    try:
        sink.recv(2048)
    except TimeoutError:
        return True
    return False


def test_a_start_is_announced_in_both_protocols(start: Start, sink: socket.socket) -> None:
    router = start(announce=(sink.getsockname(),), pace=SLOW)
    pmp, sender = sink.recvfrom(2048)
    assert (pmp.hex(), sender) == ("008000000000000001020304", (router.address, router.pmp_port))
    assert sink.recv(2048).hex() == "028000000000000000000000" + "00" * 12


def test_it_is_announced_ten_times(start: Start, sink: socket.socket) -> None:
    start(pcp=False, announce=(sink.getsockname(),), pace=QUICK)
    assert len(heard(sink, 10)) == 10
    assert silence(sink)


def test_the_gaps_double_from_a_quarter_of_a_second() -> None:
    assert list(doubling()) == [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64]


def test_a_new_occasion_ends_the_last_one() -> None:
    reactor, told = Reactor("test", lambda: 60.0), []
    announcer = Announcer(reactor, lambda: iter([0.01]), 1.0, lambda: told.append(time.monotonic()))
    reactor.start()
    reactor.run(announcer.start)
    reactor.run(announcer.start)
    time.sleep(0.05)
    reactor.run(announcer.stop)
    reactor.close()
    assert len(told) == 3


def test_ssdp_is_repeated_for_ever() -> None:
    assert list(itertools.islice(steadily(900)(), 3)) == [900, 900, 900]


def test_a_reboot_is_announced_once_it_is_over(start: Start, sink: socket.socket) -> None:
    router = start(pcp=False, uptime=3600, announce=(sink.getsockname(),), pace=SLOW)
    router.reboot()
    assert [data[4:8].hex() for data in heard(sink, 2)] == ["00000e10", "00000000"]


def test_a_new_external_address_is_announced(start: Start, sink: socket.socket) -> None:
    router = start(pcp=False, announce=(sink.getsockname(),), pace=SLOW)
    router.external_ip = "203.0.113.9"
    assert [data[8:] for data in heard(sink, 2)] == [bytes((1, 2, 3, 4)), bytes((203, 0, 113, 9))]


def test_the_same_external_address_is_no_news(start: Start, sink: socket.socket) -> None:
    router = start(pcp=False, announce=(sink.getsockname(),), pace=SLOW)
    router.external_ip = "1.2.3.4"
    heard(sink, 1)
    assert silence(sink)


def test_a_silent_router_announces_nothing(start: Start, sink: socket.socket) -> None:
    start(announce=(sink.getsockname(),), quirks=Quirks(silent=True))
    assert silence(sink)


def test_no_announcements_announces_nothing_by_any_protocol(start: Start, sink: socket.socket) -> None:
    target = (sink.getsockname(),)
    router = start(announce=target, notify=target, pace=QUICK, quirks=Quirks(no_announcements=True))
    router.reboot(byebye=True)
    router.external_ip = "203.0.113.9"
    assert silence(sink)


def test_announces_by_pmp_says_nothing_by_pcp(start: Start, sink: socket.socket) -> None:
    router = start(announce=(sink.getsockname(),), pace=SLOW, uptime=3600, quirks=Quirks(announces_by_pmp=True))
    router.external_ip = "203.0.113.9"
    assert [data.hex() for data in heard(sink, 2)] == ["0080000000000e1001020304", "0080000000000e10cb007109"]
    assert silence(sink)


def test_by_default_nothing_is_announced(router: Router) -> None:
    assert (router._ports.announce, router._ports.notify) == ((), ())


@pytest.mark.parametrize("group", ["224.0.0.1", "239.255.255.250"])
def test_what_is_multicast_stays_on_loopback(start: Start, group: str) -> None:
    address = loopback_address()
    with closing(joined(group, 0, address)) as sink:
        sink.settimeout(2)
        router = start(announce=((group, sink.getsockname()[1]),), pace=SLOW)
        assert sink.recvfrom(2048)[1] == (router.address, router.pmp_port)


@pytest.mark.parametrize("host", ["192.0.2.1", "8.8.8.8", "255.255.255.255"])
def test_announcements_go_to_no_other_host(host: str) -> None:
    with pytest.raises(PortmapError, match="multicast or loopback"):
        Router(loopback_address(), announce=((host, 5350),))


def test_a_pace_of_nothing_would_have_no_end() -> None:
    with pytest.raises(PortmapError, match="no end"):
        Router(loopback_address(), pace=0)


# SSDP.


def test_ssdp_alive_names_every_device_and_service(start: Start, sink: socket.socket) -> None:
    router = start(notify=(sink.getsockname(),), pace=SLOW)
    messages = [data.decode() for data in heard(sink, 8)]
    assert all(text.startswith("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n") for text in messages)
    assert all(f"\r\nLOCATION: {router.description_url}\r\n" in text for text in messages)
    assert all("\r\nNTS: ssdp:alive\r\n" in text for text in messages)
    assert "\r\nNT: urn:schemas-upnp-org:service:WANIPConnection:1\r\n" in "".join(messages)


def test_ssdp_alive_after_a_reboot_has_the_next_boot_number(start: Start, sink: socket.socket) -> None:
    router = start(notify=(sink.getsockname(),), pace=SLOW)
    router.reboot(new_control_port=True)
    before, after = heard(sink, 16)[0].decode(), ear_text(router)
    assert "BOOTID.UPNP.ORG: 0\r\nCONFIGID.UPNP.ORG: 1\r\n" in before
    assert f"LOCATION: {router.description_url}\r\n" in after


def ear_text(router: Router) -> str:
    """What the router would say now."""
    text = router._handlers.alive()[0].decode()
    assert "BOOTID.UPNP.ORG: 1\r\n" in text
    return text


def test_an_orderly_restart_says_byebye_first(start: Start, sink: socket.socket) -> None:
    router = start(notify=(sink.getsockname(),), pace=SLOW)
    router.reboot(byebye=True)
    kinds = [data.split(b"NTS: ")[1].split(b"\r\n")[0] for data in heard(sink, 24)]
    assert kinds == [b"ssdp:alive"] * 8 + [b"ssdp:byebye"] * 8 + [b"ssdp:alive"] * 8


def test_the_end_says_byebye(sink: socket.socket) -> None:
    with Router(loopback_address(), notify=(sink.getsockname(),), pace=SLOW):
        heard(sink, 8)
    assert b"NTS: ssdp:byebye" in sink.recv(2048)
