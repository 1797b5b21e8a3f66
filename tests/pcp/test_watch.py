import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import pytest
from tests.pcp.conftest import ADDRESS, HERE, HERE6, Peer, announced, mapped, refused
from tests.stopwatch import Stopwatch

from portmap.errors import NATError, OutOfResources
from portmap.model import Protocol
from portmap.wire import Timeouts
from portmap_pcp import Pcp, PcpPinholes, Settings

if TYPE_CHECKING:
    from tests.pcp.conftest import Announce, MakePeer, Until

OTHER = IPv4Address("127.0.0.9")
OLD, YOUNG = announced(5000), announced(0)
RESTARTED = "gateway restarted: in 0 s its clock went from 5000 s to 0 s"
At = tuple[str, int]


class Watched:
    """A backend under watch, and its alerts."""

    def __init__(self, backend: Pcp | PcpPinholes) -> None:
        self._alerts: SimpleQueue[str] = SimpleQueue()
        self.backend = backend
        self.close = backend.watch(self._alerts.put)

    def map(self) -> None:
        if isinstance(self.backend, Pcp):
            self.backend.add_mapping(Protocol.TCP, 0, 30303, 600, "", exact=False, client=None)
        else:
            self.backend.add_mapping(Protocol.TCP, 30303, 600, "")

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
def watch(announced_at: At, patient: Timeouts) -> Iterator[Watch]:
    """`watch(gateway, given=…, candidates=…, **settings)`: a watched backend that asks this peer's port at once."""
    with ExitStack() as stack:

        def make(
            gateway: Peer,
            given: IPv4Address | None = HERE,
            candidates: Callable[[], list[IPv4Address]] = list,
            **more: object,
        ) -> Watched:
            chosen = {"timeouts": patient, "announced_at": [announced_at], "spread": 0.0, **more}
            settings = Settings(port=gateway.port, **chosen)  # type: ignore[arg-type]  # its keywords
            watched = Watched(Pcp(given, settings, candidates=candidates))
            stack.callback(watched.close)
            return watched

        yield make


# the epoch of every answer


def test_an_epoch_that_went_back_raises_an_alert(peer: "MakePeer", watch: Watch) -> None:
    watched = watch(peer(mapped(epoch=5000), mapped(epoch=0)))
    watched.map()
    watched.map()
    assert watched.next() == RESTARTED


def test_a_refusal_tells_of_the_restart_too_if_the_server_confirms_it(peer: "MakePeer", watch: Watch) -> None:
    watched = watch(peer(mapped(epoch=5000), refused(8, epoch=0), YOUNG))
    watched.map()
    with pytest.raises(OutOfResources):
        watched.map()
    assert watched.next() == RESTARTED


def test_a_refusal_whose_epoch_the_server_does_not_confirm_raises_none(peer: "MakePeer", watch: Watch) -> None:
    watched = watch(peer(mapped(epoch=5000), refused(8, epoch=0), OLD))
    watched.map()
    with pytest.raises(OutOfResources):
        watched.map()
    assert watched.none_until_closed()


def test_a_steady_gateway_raises_none(peer: "MakePeer", watch: Watch) -> None:
    watched = watch(peer(mapped(epoch=5000), announced(5000), mapped(epoch=5001)))
    watched.map()
    watched.backend.external_ip()
    watched.map()
    assert watched.none_until_closed()


@pytest.mark.parametrize(("epoch", "alert"), [(5600, False), (5000, True), (9000, True)])
def test_an_epoch_has_to_keep_up_with_the_clock(epoch: int, alert: bool, peer: "MakePeer", watch: Watch) -> None:
    now = [100.0]
    watched = watch(peer(mapped(epoch=5000), announced(epoch), ADDRESS), clock=lambda: now[0])
    watched.map()
    now[0] += 600.0
    watched.backend.external_ip()
    assert watched.none_until_closed() is not alert


# announcements


def test_a_restart_is_noticed_when_it_is_announced(
    peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At
) -> None:
    gateway = peer(mapped(epoch=5000), YOUNG)
    watched = watch(gateway)
    watched.map()
    announce(announced_at, YOUNG)
    assert watched.next() == RESTARTED
    assert len(gateway.heard) == 2


NAT_PMP = "00 80 0000 00001388 cb007108"  # epoch 5000 s, 203.0.113.8


@pytest.mark.parametrize("announcement", [OLD, YOUNG, NAT_PMP])
def test_an_announcement_that_the_epoch_does_not_prove_is_one_alert(
    announcement: str, peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At
) -> None:
    watched = watch(peer(mapped(epoch=5000), OLD))  # the tables are flushed, and the epoch goes on
    watched.map()
    announce(announced_at, announcement)
    assert watched.next() == "127.0.0.1 announced itself"
    assert watched.none_until_closed()


def test_announcements_of_a_server_that_answers_are_told_once_a_second_at_the_most(
    peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At, until: "Until"
) -> None:
    gateway = peer(mapped(epoch=5000), OLD)
    watched = watch(gateway, clock=lambda: 100.0)
    watched.map()
    announce(announced_at, OLD)
    assert watched.next() == "127.0.0.1 announced itself"
    announce(announced_at, OLD)
    until(lambda: len(gateway.heard) == 3)
    assert watched.none_until_closed()


def test_announcements_of_a_server_that_was_just_found_are_told_once_a_second_at_the_most(
    peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At, until: "Until"
) -> None:
    gateway = peer(OLD)
    watched = watch(gateway, given=None, candidates=lambda: [HERE], clock=lambda: 100.0)
    with suppress(NATError):  # it states no address
        watched.backend.external_ip()
    asked = len(gateway.heard)
    announce(announced_at, OLD)
    assert watched.next() == "127.0.0.1 announced itself"
    announce(announced_at, OLD)
    until(lambda: len(gateway.heard) == asked + 2)
    assert watched.none_until_closed()


def test_the_epoch_of_a_server_without_announcements_counts_from_its_first_answer_on(
    peer: "MakePeer", watch: Watch
) -> None:
    watched = watch(peer(announced(5000, result=4), mapped(epoch=0)), given=None, candidates=lambda: [HERE])
    watched.map()
    assert watched.next() == RESTARTED


def test_garbage_is_not_even_asked_about(
    peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At
) -> None:
    gateway = peer(mapped(epoch=5000), YOUNG)
    watched = watch(gateway)
    watched.map()
    announce(announced_at, "", "ff" * 30, refused(0), announced(result=2), "00 80 0003 00001388 00000000")
    time.sleep(0.05)
    assert len(gateway.heard) == 1


def test_another_addresss_announcement_is_asked_about_and_proves_nothing_by_itself(
    peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At, until: "Until"
) -> None:
    gateway, other_host = peer(mapped(epoch=5000), OLD), peer(YOUNG, address=str(OTHER))
    watched = watch(gateway)
    watched.map()
    announce(announced_at, YOUNG, by=str(OTHER))
    until(lambda: len(gateway.heard) == 2)
    assert watched.none_until_closed()
    assert other_host.heard == []


@pytest.mark.parametrize(("answer", "reason"), [(OLD, "127.0.0.1 announced itself"), (YOUNG, RESTARTED)])
def test_a_router_may_announce_itself_by_another_of_its_addresses(
    answer: str, reason: str, peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At
) -> None:
    watched = watch(peer(mapped(epoch=5000), answer))
    watched.map()
    announce(announced_at, answer, by=str(OTHER))
    assert watched.next() == reason


def test_a_confirmed_restart_is_told_once(
    peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At
) -> None:
    watched = watch(peer(mapped(epoch=5000), YOUNG, mapped(epoch=0)))
    watched.map()
    announce(announced_at, YOUNG)
    assert watched.next() == RESTARTED
    for _ in range(20):
        watched.map()
    assert watched.none_until_closed()


def test_a_gateway_that_starts_twice_in_two_seconds_is_believed(
    peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At
) -> None:
    now = [100.0]
    watched = watch(peer(mapped(epoch=0), announced(0)), clock=lambda: now[0])
    watched.map()
    now[0] += 1.5
    announce(announced_at, YOUNG)
    assert watched.next() == "gateway may have restarted: in 1 s its clock went from 0 s to 0 s"


@pytest.mark.parametrize("given", [HERE, None])
def test_a_gateway_that_did_not_answer_yet_is_news(
    given: IPv4Address | None, peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At
) -> None:
    gateway = peer("ff", OLD)
    watched = watch(gateway, given=given, candidates=lambda: [HERE], timeouts=Timeouts(0.2, 0.2))
    with pytest.raises(NATError):
        watched.backend.external_ip()
    announce(announced_at, OLD)
    assert watched.next() == "127.0.0.1 announced itself"


@pytest.mark.parametrize("answer", ["", "ff", "00 00 0001 00000005"])
def test_a_gateway_that_cannot_be_asked_is_no_news(
    answer: str, peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At, until: "Until"
) -> None:
    gateway = peer(answer)
    watched = watch(gateway, timeouts=Timeouts(0.01, 0.02))
    announce(announced_at, OLD)
    until(lambda: gateway.heard)
    time.sleep(0.03)
    assert watched.none_until_closed()


def test_the_watch_ends_at_once_in_the_middle_of_a_question(
    peer: "MakePeer", watch: Watch, announce: "Announce", announced_at: At, until: "Until"
) -> None:
    gateway = peer("")
    watched = watch(gateway, timeouts=Timeouts(30.0, 30.0))
    announce(announced_at, OLD)
    until(lambda: gateway.heard)
    with Stopwatch() as stopwatch:
        watched.close()
    assert stopwatch.seconds < 0.2


def test_the_end_of_an_old_watch_leaves_the_new_one_alone(peer: "MakePeer", watch: Watch) -> None:
    watched = watch(peer(mapped(epoch=5000), mapped(epoch=0)))
    alerts: list[str] = []
    close = watched.backend.watch(alerts.append)
    watched.close()
    watched.map()
    watched.map()
    close()
    assert alerts == [RESTARTED]


# IPv6


def test_an_ipv6_gateways_announcement_is_verified_too(
    peer: "MakePeer", announce: "Announce", announced_at_6: At, patient: Timeouts
) -> None:
    gateway = peer(mapped(epoch=5000, address="::1"), YOUNG, address="::1")
    settings = Settings(port=gateway.port, timeouts=patient, announced_at=[announced_at_6], spread=0.0)
    watched = Watched(PcpPinholes(HERE6, settings, own_address=lambda: HERE6))
    watched.map()
    announce(announced_at_6, YOUNG)
    assert watched.next() == RESTARTED
    assert watched.none_until_closed()
