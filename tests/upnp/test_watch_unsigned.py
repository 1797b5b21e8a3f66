"""Announcements that do not tell a restart from a repetition: no BOOTID and the place where it was, or a goodbye."""

import time
from typing import TYPE_CHECKING

from tests.stopwatch import Stopwatch

from portmap.model import Protocol
from portmap.testing import Quirks

if TYPE_CHECKING:
    from tests.upnp.watched import House

from tests.upnp.watched import NEVER, PORT

GONE = "127.0.0.1 announced itself, and lists our mapping no more"


def opens(house: "House") -> None:
    house.upnp.add_mapping(Protocol.TCP, PORT, PORT, "", 600, client=None)


def forgets(house: "House", quirks: Quirks) -> None:
    """The router restarts and says nothing of it."""
    house.router.quirks = quirks
    house.router.reboot()


def test_a_restart_that_is_announced_without_a_boot_id_is_known_by_our_entry_that_is_gone(settled: "House") -> None:
    opens(settled)
    forgets(settled, Quirks(no_announcements=True))
    settled.alive(boot="")
    assert settled.alert() == GONE


def test_such_an_announcement_while_our_entry_is_there_is_no_news(settled: "House") -> None:
    opens(settled)
    settled.alive(boot="")
    assert settled.alert(NEVER) == ""
    forgets(settled, Quirks(no_announcements=True))
    settled.alive(boot="")
    assert settled.alert() == GONE


def test_such_announcements_are_asked_about_ever_less_often(settled: "House") -> None:
    opens(settled)
    before = settled.router.heard.get
    ends = time.monotonic() + 3.5
    while time.monotonic() < ends:
        settled.alive(boot="")
        time.sleep(0.05)
    assert settled.router.heard.get - before <= 2  # at 0 s and 2 s
    assert settled.alert(timeout=0.1) == ""


def test_without_an_entry_of_ours_such_an_announcement_asks_nothing(settled: "House") -> None:
    before = settled.router.heard
    settled.alive(boot="")
    assert settled.alert(NEVER) == ""
    assert settled.router.heard == before


def test_a_gateway_that_never_shows_our_entry_is_not_believed_that_it_is_gone(settled: "House") -> None:
    settled.router.quirks = Quirks(read_back="714")
    opens(settled)
    settled.alive(boot="")
    assert settled.alert(NEVER) == ""


def test_a_gateway_that_does_not_answer_has_lost_nothing_yet(settled: "House") -> None:
    opens(settled)
    settled.router.quirks = Quirks(upnp_off=True)
    settled.alive(boot="")
    assert settled.alert(2 * NEVER) == ""


# Goodbyes.


def test_a_gateway_that_says_goodbye_and_is_back_at_once_delays_no_alert(settled: "House") -> None:
    with Stopwatch() as watch:
        settled.router.reboot(byebye=True, downtime=0.05)
        assert settled.alert() == "127.0.0.1 restarted: BOOTID 0 → 1"
    assert watch.seconds < 0.8


def test_forged_goodbyes_are_asked_about_once_a_second(settled: "House") -> None:
    before, ends = settled.router.heard.description, time.monotonic() + 1.5
    while time.monotonic() < ends:
        settled.says("ssdp:byebye")
        time.sleep(0.02)
    assert settled.router.heard.description - before <= 2
    assert settled.alert(timeout=0.1) == ""
