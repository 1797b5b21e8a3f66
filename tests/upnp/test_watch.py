"""What is heard, from the simulated router and from liars, and what comes of it; all on loopback."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import IPv4Address
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Self

import pytest
from tests.stopwatch import Stopwatch

from portmap.model import Grant, Protocol
from portmap.testing import Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.discovery.search import Search
from portmap_upnp.discovery.ssdp import TARGETS
from portmap_upnp.notifications.watch import REST

if TYPE_CHECKING:
    from tests.upnp.conftest import WebServers

PORT = 40404
SERVICE = "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/c</controlURL>"
GATEWAY = f"<root><device><serviceList><service>{SERVICE}</service></serviceList></device></root>".encode()
SOON = 3.0  # seconds in which an alert must come
NEVER = 0.4  # seconds in which one that is wrong would have come


class House:
    """A router that announces, a backend that watches it, and a liar who can speak as anybody on loopback."""

    def __init__(self) -> None:
        self.threads_before = set(threading.enumerate())
        self.announced_at = ("127.0.0.1", _free_port())
        self.router = Router(pmp=False, notify=(self.announced_at,), uptime=5000)
        self.alerts: SimpleQueue[str] = SimpleQueue()
        self.upnp = self._backend()

    def __enter__(self) -> Self:
        self.router.start()
        self.upnp = self._backend()
        self.close = self.upnp.watch(self.alerts.put)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.router.close()

    def settle(self) -> None:
        """Meet the gateway, and let the watch subscribe."""
        self.upnp.external_ip()
        _until(lambda: self.router.heard.subscribe == 1)
        time.sleep(0.1)  # the first event, which is no news

    def alert(self, timeout: float = SOON) -> str:
        """The next alert, "" for none in time."""
        try:
            return self.alerts.get(timeout=timeout)
        except Empty:
            return ""

    def says(self, nts: str, *, location: str = "", boot: str = "", sender: str = "127.0.0.1") -> None:
        """Announce something."""
        lines = ["NOTIFY * HTTP/1.1", f"NT: {TARGETS[0]}", f"NTS: {nts}", f"LOCATION: {location}"]
        text = "\r\n".join([*lines, f"BOOTID.UPNP.ORG: {boot}", "", ""])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((sender, 0))
            sock.sendto(text.encode(), self.announced_at)

    def alive(self, *, location: str = "", boot: str = "0", sender: str = "127.0.0.1") -> None:
        self.says("ssdp:alive", location=location or self.router.description_url, boot=boot, sender=sender)

    def _backend(self) -> Upnp:
        gateways = [IPv4Address("127.0.0.1")]
        search = Search(lambda: gateways, multicast=None, port=self.router.ssdp_port, timeout=0.5)
        return Upnp(search=search, announced_at=self.announced_at)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _until(met: Callable[[], bool], within: float = SOON) -> None:
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        yield house


@pytest.fixture
def settled(house: House) -> House:
    house.settle()
    return house


# SSDP ----------------------------------------------------------------------------------------------------------


def test_a_restart_is_heard_and_the_new_control_url_is_known_without_a_search(settled: House) -> None:
    searches = settled.router.heard.search
    with Stopwatch() as watch:
        settled.router.reboot(new_control_port=True)
        assert settled.alert() == "127.0.0.1 restarted: BOOTID 0 → 1"
    assert watch.seconds < 0.5
    assert settled.upnp.add_mapping(Protocol.TCP, PORT, PORT, "", 600, client=None) == Grant(PORT, 600)
    assert settled.router.heard.search == searches


def test_a_restart_with_the_same_url_is_heard_by_the_boot_id(settled: House) -> None:
    settled.router.reboot()
    assert settled.alert() == "127.0.0.1 restarted: BOOTID 0 → 1"


def test_what_is_repeated_changes_nothing(settled: House) -> None:
    before = settled.router.heard
    for _ in range(30):
        settled.alive()
    assert settled.alert(NEVER) == ""
    assert settled.router.heard == before


def test_a_move_without_a_boot_id_is_heard_by_the_location(settled: House, serve: "WebServers") -> None:
    settled.router.close()
    assert settled.alert() == "127.0.0.1 said goodbye"
    settled.alive(location=str(serve.body(GATEWAY)), boot="")
    assert settled.alert() == "127.0.0.1 announced that it is elsewhere now"


def test_a_second_description_of_the_same_gateway_is_no_move(settled: House, serve: "WebServers") -> None:
    settled.alive(location=str(serve.body(GATEWAY)))
    assert settled.alert(NEVER) == ""
    settled.upnp.external_ip()


def test_a_new_boot_id_that_was_announced_beforehand_is_no_restart(settled: House) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        update = f"NT: {TARGETS[0]}\r\nNTS: ssdp:update\r\nLOCATION: {settled.router.description_url}\r\n"
        text = f"NOTIFY * HTTP/1.1\r\n{update}BOOTID.UPNP.ORG: 0\r\nNEXTBOOTID.UPNP.ORG: 7\r\n\r\n"
        sock.sendto(text.encode(), settled.announced_at)
    settled.alive(boot="7")
    assert settled.alert(NEVER) == ""


@pytest.mark.parametrize(
    ("location", "sender"),
    [("", "127.0.0.2"), ("http://127.0.0.2:80/x", "127.0.0.1"), ("http://8.8.8.8/", "127.0.0.1"), ("x", "127.0.0.1")],
    ids=["by another host", "to another host", "to the internet", "to nowhere"],
)
def test_what_a_gateway_cannot_say_is_not_heard(settled: House, location: str, sender: str) -> None:
    before = settled.router.heard
    settled.alive(location=location, boot="9", sender=sender)
    assert settled.alert(NEVER) == ""
    assert settled.router.heard == before


def test_what_is_not_confirmed_is_not_believed(settled: House) -> None:
    settled.alive(location="http://127.0.0.1:9/desc.xml", boot="9")
    assert settled.alert(NEVER) == ""
    settled.upnp.external_ip()


def test_a_flood_of_lies_leads_to_one_alert_a_second(settled: House) -> None:
    before, began = settled.router.heard.description, time.monotonic()
    while time.monotonic() - began < 1.5 * REST:
        settled.alive(boot=str(time.monotonic_ns() % 10**9))
        time.sleep(0.001)
    assert settled.alerts.qsize() <= 2
    assert settled.router.heard.description - before <= 2


def test_a_goodbye_that_is_none_is_not_believed(settled: House) -> None:
    settled.says("ssdp:byebye")
    assert settled.alert(2 * NEVER) == ""


def test_a_gateway_that_said_goodbye_is_gone(settled: House) -> None:
    settled.router.reboot(downtime=30, byebye=True)
    assert settled.alert() == "127.0.0.1 said goodbye"
    assert settled.upnp._session.updates.get_nowait() is None


def test_a_second_goodbye_of_a_gateway_that_is_gone_is_no_news(settled: House) -> None:
    settled.router.close()
    assert settled.alert() == "127.0.0.1 said goodbye"
    time.sleep(REST)
    settled.says("ssdp:byebye")
    assert settled.alert(2 * NEVER + REST) == ""


def test_a_gateway_that_was_lost_is_found_by_what_it_announces(settled: House) -> None:
    settled.upnp._session._use(None)
    settled.alive()
    assert settled.alert() == "127.0.0.1 announced itself"


def test_a_gateway_that_comes_up_after_us_is_heard(house: House) -> None:
    house.alive()
    assert house.alert() == "127.0.0.1 announced itself"


# Events --------------------------------------------------------------------------------------------------------


def test_another_external_address_is_heard_at_once(settled: House) -> None:
    with Stopwatch() as watch:
        settled.router.external_ip = "5.6.7.8"
        assert settled.alert() == "external address announced: 1.2.3.4 → 5.6.7.8"
    assert watch.seconds < 0.5


def test_an_address_that_changed_before_the_subscription_is_heard_by_the_first_event(house: House) -> None:
    house.close()
    house.upnp.external_ip()
    house.router.external_ip = "5.6.7.8"
    house.close = house.upnp.watch(house.alerts.put)
    assert house.alert() == "external address announced: 1.2.3.4 → 5.6.7.8"


def test_a_first_event_with_the_address_that_we_know_is_no_news(house: House) -> None:
    house.close()
    house.upnp.external_ip()
    house.close = house.upnp.watch(house.alerts.put)
    assert house.alert(NEVER) == ""


def test_a_line_that_goes_down_is_heard(settled: House) -> None:
    settled.router.quirks = Quirks(no_wan=True)
    assert "line announced: Connected → Disconnected" in settled.alert()


def test_a_new_mapping_is_no_news(settled: House) -> None:
    settled.upnp.add_mapping(Protocol.TCP, PORT, PORT, "", 600, client=None)
    assert settled.alert(NEVER) == ""


def test_after_a_restart_the_events_are_wanted_again(settled: House) -> None:
    settled.router.reboot()
    settled.alert()
    settled.upnp.external_ip()
    _until(lambda: settled.router.heard.subscribe == 2)
    time.sleep(0.1)
    settled.router.external_ip = "5.6.7.8"
    assert settled.alert() == "external address announced: 1.2.3.4 → 5.6.7.8"


# The end -------------------------------------------------------------------------------------------------------


def _close_in(house: House) -> float:
    with Stopwatch() as watch:
        house.close()
    return watch.seconds


def _watches(besides: set[threading.Thread]) -> list[threading.Thread]:
    """The watches' threads; `besides`: those that ran before the test, which other tests have left to end."""
    return [thread for thread in threading.enumerate() if thread.name == "upnp watch" and thread not in besides]


def test_the_watch_unsubscribes_and_ends_at_once(settled: House) -> None:
    assert _close_in(settled) < 0.2
    _until(lambda: not _watches(settled.threads_before))
    assert settled.router.heard.unsubscribe == 1


def test_a_silent_gateway_does_not_hold_up_the_end(settled: House) -> None:
    settled.router.quirks = Quirks(silent=True)
    assert _close_in(settled) < 0.2
    _until(lambda: not _watches(settled.threads_before))


def test_a_question_under_way_does_not_hold_up_the_end(settled: House) -> None:
    settled.router.quirks = Quirks(silent=True)
    settled.alive(boot="9")
    _until(lambda: settled.router.heard.description == 2)
    assert _close_in(settled) < 0.2


def test_a_watch_may_end_from_its_own_alert(house: House) -> None:
    closed = threading.Event()

    def end(_: str) -> None:
        house.close()
        closed.set()

    house.close()
    house.close = house.upnp.watch(end)
    house.alive()
    assert closed.wait(SOON)


def test_ending_twice_does_no_harm(settled: House) -> None:
    settled.close()
    settled.close()


def test_a_port_that_cannot_be_shared_costs_the_announcements_only(caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as selfish, caplog.at_level("INFO", "portmap.upnp"):
        selfish.bind(("127.0.0.1", 0))
        Upnp(announced_at=selfish.getsockname(), search=Search(list, multicast=None)).watch(print)()
    assert "are not heard" in caplog.text


def test_a_forged_restart_is_not_told_while_our_entry_is_there_and_a_real_one_is(settled: House) -> None:
    settled.upnp.add_mapping(Protocol.TCP, PORT, PORT, "", 600, client=None)
    settled.alive(boot="8")
    assert settled.alert(timeout=1.0) == ""
    settled.router.reboot()
    assert settled.alert(timeout=4.0) == "127.0.0.1 restarted: BOOTID 8 → 1"


def test_forged_restarts_are_asked_about_ever_less_often(settled: House) -> None:
    settled.upnp.add_mapping(Protocol.TCP, PORT, PORT, "", 600, client=None)
    before = settled.router.heard.get
    ends = time.monotonic() + 3.5
    while time.monotonic() < ends:
        settled.alive(boot=str(time.monotonic_ns() % 10**9))
        time.sleep(0.05)
    assert settled.router.heard.get - before <= 2  # at 0 s and 2 s; once a second without the growing rest
    assert settled.alert(timeout=0.1) == ""


def test_an_announced_location_with_a_query_is_not_fetched(settled: House) -> None:
    before = settled.router.heard
    where = f"http://127.0.0.1:{settled.router.http_port}/cgi-bin/reboot?confirm=yes"
    settled.alive(location=where, boot="8")
    assert settled.alert(timeout=0.5) == ""
    assert settled.router.heard == before
