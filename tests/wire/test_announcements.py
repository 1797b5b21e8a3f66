"""The listener on IPv4: whom it hears, what a flood costs, how it ends, and networks that are not there."""

import logging
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.wire import AnnouncementListener, Peer, Receive
from portmap_natpmp.announcement import read_announcement

if TYPE_CHECKING:
    from tests.wire.conftest import Announce, Until


GATEWAY, OTHER = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.9")
PMP = "00 80 0000 00000003 0b162101"
PCP = "02 80 00 00 00000000 00000003" + "00" * 12
GROUP = "224.0.0.1"


class Ears:
    """A listener for the test's announcements, and what it had verified: by whom, when."""

    def __init__(
        self,
        at: Collection[Peer],
        expected: Collection[IPv4Address] = (GATEWAY,),
        delay: float = 0.0,
        rest: float = 0.0,
    ) -> None:
        self.verified: SimpleQueue[IPv4Address] = SimpleQueue()
        self.times: list[float] = []
        self.epochs: list[frozenset[int]] = []
        self.then: Callable[[Receive], object] = bool
        self.listener = AnnouncementListener(
            tuple(at), lambda: expected, read_announcement, self._verify, lambda: delay, lambda: rest
        )

    def _verify(self, gateway: IPv4Address, other_epochs: frozenset[int], receive: Receive) -> None:
        self.times.append(time.monotonic())
        self.epochs.append(other_epochs)
        self.verified.put(gateway)
        self.then(receive)

    def next(self) -> IPv4Address:
        return self.verified.get(timeout=5)


@pytest.fixture
def ears(announced_at: Peer) -> Iterator[Callable[..., Ears]]:
    """`ears(expected=…, delay=…, rest=…)`, closed at the end of the test."""
    with ExitStack() as stack:

        def make(**arguments: object) -> Ears:
            made = Ears([announced_at], **arguments)  # type: ignore[arg-type]  # the keywords of Ears
            stack.callback(made.listener.close)
            return made

        yield make


MakeEars = Callable[..., Ears]


@pytest.fixture
def announce(announced_at: Peer, announce: "Announce") -> "Announce":
    """`announce(*datagrams, by=…)`: to where the listener of the test listens."""
    return lambda *datagrams, by="127.0.0.1": announce(announced_at, *datagrams, by=by)


def runs(listener: AnnouncementListener) -> bool:
    """Whether its thread has not ended; those of other tests do not count."""
    return listener._thread.is_alive()


# who is heard


@pytest.mark.parametrize("announcement", [PMP, PCP])
def test_an_announcement_is_verified(announcement: str, ears: MakeEars, announce: "Announce") -> None:
    heard = ears()
    announce(announcement)
    assert heard.next() == GATEWAY


def test_garbage_is_not_verified(ears: MakeEars, announce: "Announce") -> None:
    heard = ears()
    announce("", "ff" * 2000, "00 00", "00 80 0003 00000003 00000000")
    announce(PMP)
    assert (heard.next(), heard.epochs) == (GATEWAY, [frozenset()])
    assert heard.verified.empty()


def test_what_another_address_announces_leads_to_a_question_to_the_gateway(
    ears: MakeEars, announce: "Announce"
) -> None:
    heard = ears(delay=0.05)
    announce(PMP, "00 80 0000 00000009 0b162101", by=str(OTHER))
    assert (heard.next(), heard.epochs) == (GATEWAY, [frozenset({3, 9})])


def test_what_the_gateway_announces_itself_counts_more(ears: MakeEars, announce: "Announce") -> None:
    heard = ears(delay=0.05)
    announce(PMP)
    announce("00 80 0000 00000009 0b162101", by=str(OTHER))
    assert (heard.next(), heard.epochs) == (GATEWAY, [frozenset()])
    assert heard.verified.empty()


@pytest.mark.parametrize("expected", [(), (GATEWAY, IPv4Address("127.0.0.5"))])
def test_without_one_gateway_another_address_leads_to_nothing(
    expected: tuple[IPv4Address, ...], ears: MakeEars, announce: "Announce"
) -> None:
    heard = ears(expected=expected)
    announce(PMP, by=str(OTHER))
    time.sleep(0.05)
    assert heard.verified.empty()


def test_an_announcement_of_any_of_several_gateways_is_verified(ears: MakeEars, announce: "Announce") -> None:
    heard = ears(expected=(GATEWAY, OTHER), delay=0.05)
    announce(PMP, by=str(OTHER))
    announce(PMP, by=str(GATEWAY))
    assert {heard.next(), heard.next()} == {GATEWAY, OTHER}


# floods


def test_what_comes_before_the_question_is_answered_by_it(ears: MakeEars, announce: "Announce") -> None:
    heard = ears(delay=0.03)
    announce(PCP, PMP, PMP, PCP)
    heard.next()
    time.sleep(0.03)
    assert heard.verified.empty()


def test_what_comes_after_the_question_is_verified_after_a_rest(ears: MakeEars, announce: "Announce") -> None:
    heard = ears(rest=0.1)
    heard.then = lambda _: announce(PMP) if len(heard.times) == 1 else None
    announce(PMP)
    heard.next()
    heard.next()
    assert heard.times[1] - heard.times[0] >= 0.1


def test_a_flood_is_verified_once_a_rest(ears: MakeEars, announce: "Announce") -> None:
    heard, begun = ears(rest=0.1), time.monotonic()
    while time.monotonic() < begun + 0.25:
        announce(*[PMP] * 20)
    heard.listener.close()
    assert 1 <= len(heard.times) <= 3
    assert all(b - a >= 0.1 for a, b in zip(heard.times, heard.times[1:], strict=False))


def test_by_default_the_rest_is_a_second(announced_at: Peer, announce: "Announce") -> None:
    heard: SimpleQueue[IPv4Address] = SimpleQueue()
    listener = AnnouncementListener(
        [announced_at], lambda: (GATEWAY,), read_announcement, lambda gateway, _, __: heard.put(gateway), lambda: 0.0
    )
    announce(PMP)
    heard.get(timeout=5)
    announce(*[PMP] * 50)
    time.sleep(0.1)
    listener.close()
    assert heard.empty()


# the end


def test_a_closed_listener_leaves_no_thread_and_no_socket(ears: MakeEars, until: "Until") -> None:
    listener = ears().listener
    assert runs(listener)
    listener.close()
    listener.close()
    until(lambda: not runs(listener))
    assert [ear.fileno() for ear in listener._sockets] == [-1]


@pytest.mark.parametrize("busy", ["delay", "rest", "verification"])
def test_the_end_comes_at_once_whatever_goes_on(
    busy: str, ears: MakeEars, announce: "Announce", until: "Until"
) -> None:
    heard = ears(delay=30.0 * (busy == "delay"), rest=30.0)
    silent, other = socket.socketpair(type=socket.SOCK_DGRAM)
    with silent, other:
        if busy == "verification":
            heard.then = lambda receive: receive(silent, 30.0)
        announce(PMP)
        time.sleep(0.05)
        with Stopwatch() as watch:
            heard.listener.close()
        assert watch.seconds < 0.2
    until(lambda: not runs(heard.listener))


def test_it_may_be_closed_from_its_own_thread(ears: MakeEars, announce: "Announce", until: "Until") -> None:
    heard = ears()
    heard.then = lambda _: heard.listener.close()
    announce(PMP)
    heard.next()
    until(lambda: not runs(heard.listener))


# sockets that cannot be had, networks that are not there


def test_a_port_that_is_not_shared_is_done_without(announced_at: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "portmap.wire")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as selfish:
        selfish.bind(announced_at)
        Ears([announced_at]).listener.close()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["announcements to 127.53.50.1"]


def test_the_group_is_shared_with_other_programs(announced_at: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "portmap.wire")
    several = [Ears([(GROUP, announced_at[1])]) for _ in range(3)]
    for heard in several:
        heard.listener.close()
    assert caplog.records == []


def test_a_server_on_the_same_port_keeps_its_questions() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("", 0))
        port = server.getsockname()[1]
        heard = Ears([(GROUP, port)])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"question", ("127.0.0.1", port))
        server.settimeout(5)
        assert server.recv(16) == b"question"
        heard.listener.close()


def test_the_group_is_joined_once_a_network(announced_at: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "portmap.wire")
    heard = Ears([(GROUP, announced_at[1])])
    heard.listener.join_towards(GATEWAY)
    heard.listener.join_towards(GATEWAY)
    heard.listener.close()
    assert caplog.records == []


@pytest.mark.parametrize("gateway", ["255.255.255.255", "127.0.0.1"])
def test_a_group_that_cannot_be_joined_is_logged_only(
    gateway: str, announced_at: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "portmap.wire")
    heard = Ears([(GROUP, announced_at[1])])
    heard.listener.close()  # its sockets are closed: what was 127.0.0.1's group can no longer be joined
    heard.listener.join_towards(IPv4Address(gateway))
    assert "may not be heard" in caplog.text
