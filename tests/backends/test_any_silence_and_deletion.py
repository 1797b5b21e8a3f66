"""The backend `any`: silence, deletion and alerts."""

from contextlib import suppress

import pytest
from tests.backends.scripted_candidates import Loading
from tests.backends.scripted_gateways import TCP, A, B, Gateway, add, holders
from tests.stopwatch import Stopwatch

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.race import Race
from portmap.backends.nat import Nat
from portmap.errors import Conflict, Garbled, GatewayTimeout, NoGateway, Refused
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.loop.policy import Policy

# what any makes of silence


def test_a_winner_that_falls_silent_is_raced_for_anew(any_gateway: AnyBackend, a: Gateway) -> None:
    any_gateway.external_ip()
    a.now(GatewayTimeout("silence"))
    assert str(any_gateway.external_ip()) == B


def test_a_mapping_moves_to_the_new_winner(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    add(any_gateway)
    a.now(GatewayTimeout("silence"))
    any_gateway.external_ip()
    add(any_gateway)
    assert holders(b) == [B]


def test_a_mapping_moves_back_when_the_runner_up_that_made_it_has_gone(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    a.now(Conflict("taken"), "add_mapping")
    add(any_gateway)
    a.now(None)
    b.now(NoGateway("gone"))
    add(any_gateway)
    assert holders(a) == [A]


def test_a_winners_silence_is_told_so_that_the_loop_looks_again(any_gateway: AnyBackend, a: Gateway) -> None:
    any_gateway.external_ip()
    a.now(GatewayTimeout("silence"), "add_mapping")
    with pytest.raises(GatewayTimeout, match="silence"):
        add(any_gateway)


def test_where_no_backend_answers_each_is_named_with_its_reason(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    a.now(NoGateway("no reply"))
    b.now(GatewayTimeout("silence"))
    with pytest.raises(NoGateway, match=rf"gateway {A}: no reply; gateway {B}: silence"):
        any_gateway.external_ip()


def test_a_race_without_an_answer_is_not_remembered(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    a.now(NoGateway("not yet"))
    b.now(NoGateway("not yet"))
    with pytest.raises(NoGateway):
        any_gateway.external_ip()
    b.now(None)
    assert str(any_gateway.external_ip()) == B


# letting go through any


def test_a_mapping_is_deleted_by_the_backend_that_made_it(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken"), "add_mapping")
    add(any_gateway)
    any_gateway.delete_mapping(TCP, 80, 80, "", client=None)
    assert (a.asked("delete_mapping"), b.asked("delete_mapping")) == (0, 1)


def test_a_backend_whose_mapping_went_to_another_deletes_its_own_too(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    add(any_gateway)
    a.now(Refused("no uplink"), "add_mapping")
    add(any_gateway)
    assert holders(a, b) == [A, B]
    any_gateway.delete_mapping(TCP, 80, 80, "", client=None)
    assert holders(a, b) == []


def test_a_backend_that_fell_silent_and_is_back_deletes_what_another_has_taken_over(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    add(any_gateway)
    a.now(GatewayTimeout("silence"))
    with pytest.raises(GatewayTimeout):
        add(any_gateway)
    any_gateway.external_ip()
    add(any_gateway)
    a.now(None)
    assert holders(a, b) == [A, B]
    any_gateway.delete_mapping(TCP, 80, 80, "", client=None)
    assert holders(a, b) == []


def test_a_backend_that_stays_silent_does_not_hold_up_the_deleting(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    for port in (80, 81, 82):
        any_gateway.add_mapping(TCP, 0, port, "", 600, "", exact=False, client=None)
    a.now(GatewayTimeout("silence"))
    for port in (80, 81, 82):
        with suppress(GatewayTimeout):
            any_gateway.add_mapping(TCP, 0, port, "", 600, "", exact=False, client=None)
        any_gateway.external_ip()
        any_gateway.add_mapping(TCP, 0, port, "", 600, "", exact=False, client=None)
    a.delay = 1.5
    with Stopwatch() as watch:
        for port in (80, 81, 82):
            any_gateway.delete_mapping(TCP, 0, port, "", None)
    assert watch.seconds < Policy().clean_up / 2
    assert b.table == {}


def test_a_backend_that_answered_nonsense_is_asked_to_delete_too(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    a.fails(0, 1, lambda: Garbled("port 0"), "the answer")
    add(any_gateway)
    assert holders(a, b) == [A, B]
    any_gateway.delete_mapping(TCP, 80, 80, "", client=None)
    assert holders(a, b) == []


def test_a_vanished_backend_that_answered_nonsense_does_not_stop_the_deleting(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    a.now(Garbled("port 0"), "add_mapping")
    add(any_gateway)
    a.now(NoGateway("gone"))
    any_gateway.delete_mapping(TCP, 80, 80, "", client=None)
    assert holders(a, b) == []


def test_a_mapping_without_a_known_owner_belongs_to_the_winner(any_gateway: AnyBackend, a: Gateway) -> None:
    any_gateway.external_ip()
    any_gateway.delete_mapping(TCP, 80, 80, "", client=None)
    assert a.asked("delete_mapping") == 1


def test_where_no_gateway_was_found_nothing_is_deleted(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    any_gateway.delete_mapping(TCP, 80, 80, "", client=None)
    assert (a.calls, b.calls) == ([], [])


# alerts through any


def test_only_the_gateway_in_use_is_listened_to(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    told: list[str] = []
    any_gateway.watch(told.append)
    any_gateway.external_ip()
    a.forget("reboot of a")
    b.forget("reboot of b")
    assert told == ["reboot of a"]


def test_the_backend_that_holds_a_mapping_is_watched_too(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    told: list[str] = []
    any_gateway.watch(told.append)
    a.now(Conflict("taken"), "add_mapping")
    add(any_gateway)
    b.forget("reboot of b")
    assert told == ["reboot of b"]


def test_a_backend_that_lost_the_race_is_watched_once_no_gateway_is_left() -> None:
    class Watched(Gateway):
        is_watched = False

        @hookimpl
        def watch(self, alert: Alert) -> Closer:
            self.is_watched = True
            return super().watch(alert)

    a = Watched(A)
    b = Watched(B, after=a)
    backend = AnyBackend(Race(lambda: [Loading("a", lambda: Nat(a, "a")), Loading("b", lambda: Nat(b, "b"))]))
    close = backend.watch(lambda _: None)
    backend.external_ip()
    b.answered.wait(1)
    backend.external_ip()
    assert (a.is_watched, b.is_watched) == (True, False)
    for gateway in (a, b):
        gateway.now(NoGateway("silent"))
    with pytest.raises(NoGateway):
        backend.external_ip()
    assert b.is_watched
    close()


def test_one_backends_broken_watch_leaves_the_others() -> None:
    class Blind(Gateway):
        @hookimpl
        def watch(self, alert: Alert) -> Closer:
            raise OSError("no netlink here")

    told: list[str] = []
    seeing = Gateway(B)
    backend = AnyBackend(Race(lambda: [Nat(Blind(A), "blind"), Nat(seeing, "seeing")]))
    close = backend.watch(told.append)
    seeing.alert("reboot")
    assert told == ["reboot"]  # no backend has won yet: every alert counts
    close()


def test_a_backend_that_is_loaded_beside_the_race_is_watched_at_once(a: Gateway) -> None:
    told: list[str] = []
    backend = AnyBackend(Race(lambda: [Loading("a", lambda: Nat(a, "a"))]))
    close = backend.watch(told.append)
    backend.external_ip()
    a.alert("reboot")
    assert told == ["reboot"]
    close()
