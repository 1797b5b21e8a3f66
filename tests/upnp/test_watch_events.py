"""The watch of UPnP: events by GENA, and the end."""

import socket
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.model import Protocol
from portmap.testing import Quirks
from portmap_upnp import Upnp
from portmap_upnp.discovery.search import Search

if TYPE_CHECKING:
    pass

from tests.upnp.watched import NEVER, PORT, SOON, House, _until

# Events


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


# The end


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
