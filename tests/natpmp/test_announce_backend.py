import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.errors import NATError
from portmap.model import Protocol
from portmap_natpmp import NatPmp, Timeouts

if TYPE_CHECKING:
    from tests.natpmp.conftest import Announce, MakePeer, Peer, Until

HERE, OTHER = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.9")
OLD = "00 80 0000 00001388 cb007107"  # epoch 5000 s, 203.0.113.7
YOUNG = "00 80 0000 00000000 cb007107"  # the same, restarted
MOVED = "00 80 0000 00001388 cb007108"  # 203.0.113.8
PCP = "02 80 00 00" + "00" * 20
RESTARTED = "gateway restarted: its clock went from 5000 s to 0 s"


class Watched:
    """A backend under watch, and its alerts."""

    def __init__(self, backend: NatPmp) -> None:
        self.backend = backend
        self._alerts: SimpleQueue[str] = SimpleQueue()
        self.close = backend.watch(self._alerts.put)

    def next(self) -> str:
        return self._alerts.get(timeout=5)

    def none_until_closed(self) -> bool:
        """Whether there has been no alert, now that the watch has ended."""
        self.close()
        try:
            self._alerts.get_nowait()
        except Empty:
            return True
        return False


Watch = Callable[..., Watched]


@pytest.fixture
def watch(announced_at: tuple[str, int], patient: Timeouts) -> Iterator[Watch]:
    """`watch(gateway, given=…, **arguments of NatPmp)`: a watched backend that asks this peer's port at once."""
    with ExitStack() as stack:

        def make(gateway: "Peer", given: IPv4Address | None = HERE, **arguments: object) -> Watched:
            chosen = {"timeouts": patient, "announced_at": [announced_at], "spread": 0.0, **arguments}
            watched = Watched(NatPmp(given, gateway.port, **chosen))  # type: ignore[arg-type]  # its keywords
            stack.callback(watched.close)
            return watched

        yield make


@pytest.mark.parametrize("announcement", [YOUNG, PCP])
def test_a_restart_is_noticed_when_it_is_announced(
    announcement: str, peer: "MakePeer", watch: Watch, announce: "Announce"
) -> None:
    gateway = peer(OLD, YOUNG)
    watched = watch(gateway)
    watched.backend.external_ip()
    announce(announcement)
    assert watched.next() == RESTARTED
    assert gateway.heard_hex == ["0000", "0000"]


def test_an_address_is_noticed_when_it_is_announced(peer: "MakePeer", watch: Watch, announce: "Announce") -> None:
    watched = watch(peer(OLD, MOVED))
    watched.backend.external_ip()
    announce(MOVED)
    assert watched.next() == "external address announced: 203.0.113.7 -> 203.0.113.8"


@pytest.mark.parametrize("announcement", [OLD, YOUNG, PCP])
def test_an_announcement_that_the_epoch_does_not_prove_is_one_alert(
    announcement: str, peer: "MakePeer", watch: Watch, announce: "Announce"
) -> None:
    gateway = peer(OLD)  # the tables are flushed, and the epoch goes on: `system_uptime=yes`
    watched = watch(gateway)
    watched.backend.external_ip()
    announce(announcement)
    assert watched.next() == "127.0.0.1 announced itself"
    assert watched.none_until_closed()


def test_a_flood_of_announcements_is_an_alert_a_second(peer: "MakePeer", watch: Watch, announce: "Announce") -> None:
    watched = watch(peer(OLD))
    watched.backend.external_ip()
    announce(*[OLD] * 20)
    watched.next()
    begun = time.monotonic()
    announce(*[OLD] * 20)
    watched.next()
    assert time.monotonic() - begun > 0.9
    assert watched.none_until_closed()


def test_a_confirmed_restart_is_told_once(peer: "MakePeer", watch: Watch, announce: "Announce") -> None:
    watched = watch(peer(OLD, YOUNG))
    watched.backend.external_ip()
    announce(YOUNG)
    assert watched.next() == RESTARTED
    watched.backend.external_ip()
    assert watched.none_until_closed()


def test_a_restart_without_an_address_yet_is_noticed_too(peer: "MakePeer", watch: Watch, announce: "Announce") -> None:
    watched = watch(peer(OLD, "00 80 0003 00000000 00000000"))
    watched.backend.external_ip()
    announce(PCP)
    assert watched.next() == RESTARTED


def test_another_addresss_announcement_is_asked_about_and_proves_nothing_by_itself(
    peer: "MakePeer", watch: Watch, announce: "Announce", until: "Until"
) -> None:
    gateway, other_host = peer(OLD), peer(YOUNG, address=str(OTHER))
    watched = watch(gateway)
    watched.backend.external_ip()
    announce(YOUNG, by=str(OTHER))
    until(lambda: len(gateway.heard_hex) == 2)
    assert watched.none_until_closed()
    assert other_host.heard_hex == []


def test_announcements_that_change_nothing_have_the_gateway_asked_ever_less_often(
    peer: "MakePeer", watch: Watch, announce: "Announce"
) -> None:
    gateway = peer(OLD)
    watched = watch(gateway)
    watched.backend.external_ip()
    begun = time.monotonic()
    while time.monotonic() < begun + 2.6:  # asked at 0 s and 1 s, then at 3 s; without a longer rest at 2 s as well
        announce(YOUNG, by=str(OTHER))
        time.sleep(0.1)
    assert len(gateway.heard_hex) <= 1 + 2


def test_another_address_that_announces_the_gateways_epoch_is_the_gateways_own(
    peer: "MakePeer", watch: Watch, announce: "Announce"
) -> None:
    watched = watch(peer(OLD))
    watched.backend.external_ip()
    announce(OLD, by=str(OTHER))
    assert watched.next() == "127.0.0.1 announced itself"


def test_a_restart_is_noticed_whatever_address_announces_it(
    peer: "MakePeer", watch: Watch, announce: "Announce"
) -> None:
    watched = watch(peer(OLD, YOUNG))
    watched.backend.external_ip()
    announce(YOUNG, by=str(OTHER))
    assert watched.next() == RESTARTED


def test_an_announced_address_is_no_change_where_none_was_known(
    peer: "MakePeer", watch: Watch, announce: "Announce"
) -> None:
    gateway = peer("00 82 0000 00001388 765f 765f 00000258", MOVED)
    watched = watch(gateway)
    watched.backend.add_mapping(Protocol.TCP, 0, 30303, 600, client=None)
    announce(MOVED)
    assert watched.next() == "127.0.0.1 announced itself"


# while there is no gateway


def test_a_candidate_that_announces_itself_is_news(peer: "MakePeer", watch: Watch, announce: "Announce") -> None:
    watched = watch(peer(OLD), given=None, candidates=lambda: [HERE])
    announce(OLD)
    assert watched.next() == "127.0.0.1 announced itself"


def test_another_host_that_announces_itself_is_not(
    peer: "MakePeer", watch: Watch, announce: "Announce", until: "Until"
) -> None:
    gateway, other_host = peer(OLD), peer(YOUNG, address=str(OTHER))
    watched = watch(gateway, given=None, candidates=lambda: [HERE])
    announce(YOUNG, by=str(OTHER))
    until(lambda: gateway.heard_hex)
    assert watched.none_until_closed()
    assert other_host.heard_hex == []


def test_a_gateway_once_found_is_the_only_one_that_counts(peer: "MakePeer", watch: Watch, announce: "Announce") -> None:
    gateway, candidates = peer(OLD, YOUNG), [HERE]
    other = peer(OLD, address=str(OTHER), port=gateway.port)
    watched = watch(gateway, given=None, candidates=lambda: candidates)
    watched.backend.external_ip()
    candidates.append(OTHER)
    announce(OLD, by=str(OTHER))
    announce(OLD)
    assert watched.next() == RESTARTED
    assert other.heard_hex == []


def test_a_given_gateway_that_did_not_answer_yet_is_news(peer: "MakePeer", watch: Watch, announce: "Announce") -> None:
    gateway = peer("ff", OLD)
    watched = watch(gateway, timeouts=Timeouts(0.2, 0.2))
    with pytest.raises(NATError):
        watched.backend.external_ip()
    announce(OLD)
    assert watched.next() == "127.0.0.1 announced itself"


def test_a_found_gateway_that_was_lost_and_comes_back_is_news(
    peer: "MakePeer", watch: Watch, announce: "Announce"
) -> None:
    gateway = peer(OLD, "ff", OLD)
    watched = watch(gateway, given=None, candidates=lambda: [HERE], timeouts=Timeouts(0.2, 0.2))
    watched.backend.external_ip()
    with pytest.raises(NATError):
        watched.backend.external_ip()
    announce(OLD)
    assert watched.next() == "127.0.0.1 announced itself"


# gateways that announce and do not answer


@pytest.mark.parametrize("answer", ["", "ff", "02 80 0001 00000000 00000e10" + "00" * 12])
def test_a_gateway_that_cannot_be_asked_is_no_news(
    answer: str, peer: "MakePeer", watch: Watch, announce: "Announce", until: "Until"
) -> None:
    gateway = peer(answer)
    watched = watch(gateway, timeouts=Timeouts(0.01, 0.02))
    announce(OLD)
    until(lambda: gateway.heard_hex)
    time.sleep(0.03)
    assert watched.none_until_closed()


# when it is asked, and when no more


def test_the_wait_before_the_question_is_the_spread_times_the_random_number(
    peer: "MakePeer", watch: Watch, announce: "Announce", until: "Until"
) -> None:
    gateway = peer(OLD)
    watch(gateway, spread=0.2, random=lambda: 0.5)
    begun = time.monotonic()
    announce(OLD)
    until(lambda: gateway.heard_hex)
    assert time.monotonic() - begun >= 0.1


def test_the_watch_ends_at_once_in_the_middle_of_a_question(
    peer: "MakePeer", watch: Watch, announce: "Announce", until: "Until"
) -> None:
    gateway = peer("")
    watched = watch(gateway, timeouts=Timeouts(30.0, 30.0))
    announce(OLD)
    until(lambda: gateway.heard_hex)
    with Stopwatch() as stopwatch:
        watched.close()
    assert stopwatch.seconds < 0.2


def test_after_the_watch_nothing_is_asked(peer: "MakePeer", watch: Watch, announce: "Announce") -> None:
    gateway = peer(OLD)
    watch(gateway).close()
    announce(OLD)
    time.sleep(0.02)
    assert gateway.heard_hex == []


def test_hooks_and_announcements_at_the_same_time_tell_of_one_restart(
    peer: "MakePeer", watch: Watch, announce: "Announce"
) -> None:
    gateway = peer(OLD, YOUNG)
    watched = watch(gateway)
    watched.backend.external_ip()
    announce(YOUNG)
    for _ in range(50):
        watched.backend.external_ip()
    assert watched.next() == RESTARTED
    assert watched.none_until_closed()
