"""The race: all are asked at once, the first true answer wins."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from importlib.metadata import EntryPoint
from ipaddress import IPv4Address

import pytest
from tests.stopwatch import Stopwatch

from portmap.backends.any import race_round
from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import Candidate as Entrant
from portmap.backends.any.candidates import CandidateLoader, installed_candidates, listed_candidates
from portmap.backends.any.race import Race
from portmap.backends.nat import Nat
from portmap.errors import (
    Garbled,
    GatewayTimeout,
    NoGateway,
    NoPublicAddress,
    NotAuthorized,
    NotYet,
    PluginError,
    Refused,
    UnverifiedGateway,
)
from portmap.hookspecs import BACKENDS, hookimpl
from portmap.loading.catalog import Catalogue
from portmap.model import Protocol
from portmap.testing.scripted import ScriptedBackend

LONG = 5.0  # seconds, that no test here waits out
SOON = 0.1


class Runner(ScriptedBackend):
    """Answers after a while, or when released, or with an error."""

    def __init__(
        self, address: str, *, delay: float = 0.0, error: Exception | None = None, gate: threading.Event | None = None
    ) -> None:
        super().__init__()
        self.address = address
        self.moves(0, address)
        self.delay, self.error, self.gate = delay, error, gate
        self.called = threading.Event()

    def __str__(self) -> str:
        return f"gateway {self.address}"

    def _hear(self, hook: str, *arguments: object) -> None:
        super()._hear(hook, *arguments)
        self.called.set()
        time.sleep(self.delay)
        if self.gate is not None:
            self.gate.wait(LONG)
        if self.error is not None:
            raise self.error


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def race(*runners: Runner, timeout: float = LONG) -> Race:
    return Race(lambda: [Nat(runner, str(runner)) for runner in runners], timeout)


def ranked(*runners: Runner) -> Race:
    """The last one is preferred to all, and so on."""
    return Race(lambda: [Entrant.of(Nat(runner, str(runner)), rank) for rank, runner in enumerate(runners)], LONG)


def test_the_first_to_answer_wins(gate: threading.Event) -> None:
    nat, answer = race(Runner("1.1.1.1", gate=gate), Runner("2.2.2.2")).run()
    assert (str(nat), answer.result()) == ("gateway 2.2.2.2", IPv4Address("2.2.2.2"))


def test_a_gateway_without_an_address_yet_can_win() -> None:
    nat, answer = race(Runner("1.1.1.1", error=NotYet("with a mapping only")), Runner("2.2.2.2", delay=0.1)).run()
    assert str(nat) == "gateway 1.1.1.1"
    assert isinstance(answer.exception(), NotYet)


@pytest.mark.parametrize("error", [Refused("no uplink"), NoGateway("no answer"), ValueError("oops")])
def test_an_error_is_no_answer_however_fast(error: Exception) -> None:
    nat, _ = race(Runner("1.1.1.1", error=error), Runner("2.2.2.2", delay=0.02)).run()
    assert str(nat) == "gateway 2.2.2.2"


def test_the_unspecified_address_is_no_true_answer() -> None:
    nat, _ = race(Runner("0.0.0.0"), Runner("2.2.2.2", delay=0.02)).run()  # noqa: S104  # nothing is bound
    assert str(nat) == "gateway 2.2.2.2"


def test_when_no_candidate_answers_every_reason_is_told(gate: threading.Event) -> None:
    runners = Runner("1.1.1.1", error=Garbled("nonsense")), Runner("2.2.2.2", gate=gate)
    with pytest.raises(NoGateway) as caught:
        race(*runners, timeout=SOON).run()
    assert str(caught.value) == (
        "no gateway answered (gateway 1.1.1.1: nonsense; gateway 2.2.2.2: did not answer within 0.1 s)"
    )


def test_a_refusal_is_the_verdict_rather_than_no_gateway(gate: threading.Event) -> None:
    refusal = NotAuthorized("switched off", code=2)
    race_ = race(Runner("1.1.1.1", gate=gate), Runner("2.2.2.2", error=refusal), timeout=SOON)
    with pytest.raises(NotAuthorized) as caught:
        race_.run()
    assert (caught.value.code, [*map(str, race_.refused_by)]) == (2, ["gateway 2.2.2.2"])


def test_of_two_refusals_that_of_the_preferred_one_is_told() -> None:
    first, second = Runner("1.1.1.1", error=Refused("no uplink")), Runner("2.2.2.2", error=Refused("switched off"))
    with pytest.raises(Refused, match="switched off"):
        ranked(first, second).run()


def test_the_verdict_no_gateway_comes_in_time(gate: threading.Event) -> None:
    with Stopwatch() as watch, pytest.raises(NoGateway):
        race(Runner("1.1.1.1", gate=gate), timeout=SOON).run()
    assert watch.elapsed >= SOON
    assert watch.seconds < SOON + 0.2  # seconds: the bar


# who is preferred


@pytest.fixture
def long_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long enough for a slow machine."""
    monkeypatch.setattr(race_round, "GRACE", LONG)


@pytest.mark.usefixtures("long_moment")
def test_a_preferred_backend_wins_if_it_answers_a_moment_later() -> None:
    nat, _ = ranked(Runner("1.1.1.1"), Runner("2.2.2.2", delay=0.02)).run()
    assert str(nat) == "gateway 2.2.2.2"


def test_a_preferred_backend_that_answers_later_than_that_does_not_win(gate: threading.Event) -> None:
    race_ = ranked(Runner("1.1.1.1"), Runner("2.2.2.2", gate=gate))
    with Stopwatch() as watch:
        assert str(race_.run()[0]) == "gateway 1.1.1.1"
    assert watch.elapsed >= race_round.GRACE
    assert watch.seconds < LONG / 2


@pytest.mark.usefixtures("long_moment")
def test_a_candidate_that_is_not_preferred_is_not_waited_for(gate: threading.Event) -> None:
    race_ = ranked(Runner("1.1.1.1", gate=gate), Runner("2.2.2.2"))
    with Stopwatch() as watch:
        race_.run()
    assert watch.seconds < LONG / 2


@pytest.mark.usefixtures("long_moment")
def test_the_last_good_one_of_an_earlier_life_is_preferred_to_all() -> None:
    race_ = ranked(Runner("1.1.1.1", delay=0.02), Runner("2.2.2.2"))
    race_.prefer("gateway 1.1.1.1")
    assert str(race_.run()[0]) == "gateway 1.1.1.1"


def test_the_winner_of_an_earlier_run_is_given_its_hint_once() -> None:
    class Hinted(Runner):
        @hookimpl
        def take_hint(self, hint: str) -> None:
            hints.append(hint)

    hints: list[str] = []
    race_ = race(Hinted("1.1.1.1"), Hinted("2.2.2.2"))
    race_.prefer("gateway 1.1.1.1 http://there/x.xml")
    race_.run()
    race_.run()
    assert hints == ["http://there/x.xml"]


@pytest.mark.usefixtures("long_moment")
def test_a_hint_for_an_unknown_backend_is_ignored() -> None:
    race_ = ranked(Runner("1.1.1.1", delay=0.02), Runner("2.2.2.2"))
    race_.prefer("gateway 1.1.1.1.1 more")
    assert str(race_.run()[0]) == "gateway 2.2.2.2"


def test_a_less_preferred_backend_is_not_asked_where_a_preferred_one_answers_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(race_round, "STAGGER", LONG)
    first, second = Runner("1.1.1.1"), Runner("2.2.2.2")
    ranked(first, second).run()
    assert (len(first.calls), len(second.calls)) == (0, 1)


def test_a_less_preferred_backend_is_asked_as_soon_as_the_preferred_ones_have_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(race_round, "STAGGER", LONG)
    with Stopwatch() as watch:
        ranked(Runner("1.1.1.1"), Runner("2.2.2.2", error=NoGateway("no answer"))).run()
    assert watch.seconds < LONG / 2


# gateways that neither a default route nor the user names

UNVERIFIED = UnverifiedGateway("no default route leads there")


def test_an_unverified_gateway_gives_way_to_a_slower_one() -> None:
    nat, _ = ranked(Runner("2.2.2.2", delay=0.1), Runner("1.1.1.1", error=UNVERIFIED)).run()
    assert str(nat) == "gateway 2.2.2.2"


def test_an_unverified_gateway_wins_where_no_other_answers_within_the_grace(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(race_round, "UNVERIFIED_GRACE", SOON)
    with Stopwatch() as watch:
        rounds = race(Runner("2.2.2.2", gate=gate), Runner("1.1.1.1", error=UNVERIFIED))
        nat, answer = rounds.run()
    assert watch.elapsed >= SOON
    assert watch.seconds < LONG / 2
    assert str(nat) == "gateway 1.1.1.1"
    assert isinstance(answer.exception(), UnverifiedGateway)
    assert re.fullmatch(r"gateway 1\.1\.1\.1 answered in \d+ ms, but no default route names it", rounds.evidence[0])


def test_an_unverified_gateway_is_not_used_where_the_gateway_refuses() -> None:
    with pytest.raises(NotAuthorized, match="switched off"):
        race(Runner("1.1.1.1", error=UNVERIFIED), Runner("2.2.2.2", error=NotAuthorized("switched off"))).run()


def test_of_two_refusals_that_of_a_gateway_without_a_public_address_is_told() -> None:
    first = Runner("1.1.1.1", error=NoPublicAddress("double NAT"))
    with pytest.raises(NoPublicAddress, match="double NAT"):
        ranked(first, Runner("2.2.2.2", error=Refused("switched off"))).run()


# what is told of a round


def test_the_evidence_names_each_backend_with_its_time_or_its_failure(gate: threading.Event) -> None:
    runners = (
        Runner("1.1.1.1", gate=gate),
        Runner("2.2.2.2", error=NoGateway("no answer")),
        Runner("3.3.3.3", delay=0.03),
    )
    race_ = race(*runners)
    race_.run()
    won, *others = race_.evidence
    assert re.fullmatch(r"gateway 3\.3\.3\.3 answered in \d+ ms", won)
    assert others == ["gateway 1.1.1.1 had not answered by then", "gateway 2.2.2.2: no answer"]


# who is loaded beside the race


def loads(name: str, judge: Callable[[], Nat | None]) -> Entrant:
    return Loading(name, judge)


class Loading(Entrant):
    """One that is loaded beside the race, by `judge`."""

    def __init__(self, name: str, judge: Callable[[], Nat | None]) -> None:
        super().__init__(name)
        self.load = judge  # type: ignore[method-assign]  # each has its own


def test_a_plugin_that_hangs_in_its_import_costs_the_race_nothing(gate: threading.Event) -> None:
    hangs = loads("hangs", lambda: Nat(Runner("1.1.1.1"), "hangs") if gate.wait(LONG) else None)
    with Stopwatch() as watch:
        race_ = Race(lambda: [hangs, loads("good", lambda: Nat(Runner("2.2.2.2"), "good"))], LONG)
        race_.run()
    assert watch.seconds < LONG / 5
    assert race_.evidence[1:] == ("hangs was not loaded by then",)


def test_a_backend_that_is_loaded_late_takes_part_in_the_next_round(gate: threading.Event) -> None:
    late = loads("late", lambda: Nat(Runner("2.2.2.2"), "late") if gate.wait(LONG) else None)
    race_ = Race(lambda: [late], SOON)
    with pytest.raises(NoGateway, match="late was not loaded by then"):
        race_.run()
    gate.set()
    assert str(race_.run()[0]) == "gateway 2.2.2.2"


def test_a_backend_that_is_loaded_after_the_verdict_can_be_a_runner_up(gate: threading.Event) -> None:
    late = loads("late", lambda: Nat(Runner("2.2.2.2"), "late") if gate.wait(LONG) else None)
    race_ = Race(lambda: [Entrant.of(Nat(Runner("1.1.1.1"), "early")), late], LONG)
    winner, _ = race_.run()
    gate.set()
    assert [str(nat) for nat in race_.runners_up(winner)] == ["gateway 2.2.2.2"]


def test_a_broken_plugin_is_named_in_the_verdict() -> None:
    def broken() -> Nat:
        raise PluginError("backend 'x' cannot be imported")

    with pytest.raises(NoGateway, match=r"no gateway answered \(backend 'x' cannot be imported\)"):
        Race(lambda: [loads("x", broken)]).run()


# the rounds


def test_when_all_have_failed_the_race_ends() -> None:
    with Stopwatch() as watch, pytest.raises(NoGateway):
        race(Runner("1.1.1.1", error=GatewayTimeout("silence")), timeout=LONG).run()
    assert watch.seconds < 1


def test_without_backends_that_is_said() -> None:
    with pytest.raises(NoGateway, match="no backend is installed"):
        race().run()


def test_no_failure_is_remembered() -> None:
    runner = Runner("1.1.1.1", error=NoGateway("not yet"))
    again = race(runner)
    with pytest.raises(NoGateway):
        again.run()
    runner.error = None
    assert str(again.run()[0]) == "gateway 1.1.1.1"


def test_a_silent_backend_is_not_asked_again_while_its_call_lasts(gate: threading.Event) -> None:
    hung = Runner("1.1.1.1", gate=gate)
    race_ = race(hung, Runner("2.2.2.2"))
    race_.run()
    hung.called.wait(LONG)
    race_.run()
    assert len(hung.calls) == 1


def test_a_late_answer_counts_in_the_next_round(gate: threading.Event) -> None:
    slow = Runner("1.1.1.1", gate=gate)
    race_ = race(slow, timeout=SOON)
    with pytest.raises(NoGateway):
        race_.run()
    threading.Timer(SOON / 2, gate.set).start()
    assert str(race_.run()[0]) == "gateway 1.1.1.1"
    assert len(slow.calls) == 1


def test_a_backend_that_hangs_in_another_call_is_named(gate: threading.Event) -> None:
    nat = Nat(Runner("1.1.1.1", gate=gate), "a")
    with pytest.raises(GatewayTimeout):
        nat.delete_mapping(Protocol.TCP, 80, 80, timeout=0.01)
    with pytest.raises(NoGateway, match=r"gateway 1.1.1.1: has not come back from an earlier call"):
        Race(lambda: [nat]).run()


def test_the_field_is_made_once_and_late() -> None:
    def make() -> list[Nat]:
        made.append([Nat(Runner("1.1.1.1"), "a")])
        return made[-1]

    made: list[list[Nat]] = []
    race_ = Race(make)
    before = len(made)
    race_.run()
    race_.run()
    assert (before, len(made)) == (0, 1)


def test_a_runner_up_answered_too() -> None:
    race_ = race(Runner("1.1.1.1"), Runner("2.2.2.2", delay=0.02), Runner("3.3.3.3", error=NoGateway("no answer")))
    winner, _ = race_.run()
    assert [str(nat) for nat in race_.runners_up(winner)] == ["gateway 2.2.2.2"]


def test_a_runner_up_gets_the_rest_of_the_rounds_time_and_no_more(gate: threading.Event) -> None:
    race_ = race(Runner("1.1.1.1"), Runner("2.2.2.2", gate=gate), timeout=SOON)
    winner, _ = race_.run()
    with Stopwatch() as watch:
        assert race_.runners_up(winner) == []
    assert watch.seconds < 1


# the candidates


def loaded_names(runners: list[Entrant]) -> list[str]:
    """Who takes part, once all are loaded: a broken one is left out."""
    CandidateLoader(runners).resume()
    wait([runner.loaded for runner in runners])
    return sorted(str(runner.nat) for runner in runners if runner.nat)


def test_every_installed_leasing_backend_takes_part_once_however_many_names_it_has() -> None:
    assert (
        {"NAT-PMP", "UPnP"}
        <= set(loaded_names(installed_candidates(Catalogue(BACKENDS), without=AnyBackend)))
        <= {"NAT-PMP", "PCP", "UPnP"}
    )


def test_a_backend_that_is_broken_or_needs_an_argument_or_has_no_preference_takes_no_part() -> None:
    entries = [
        EntryPoint("broken", "no_such_module:Class", BACKENDS),
        EntryPoint("static", "portmap_extip:ExtIp", BACKENDS),
        EntryPoint("any", "portmap.backends.any.backend:AnyBackend", BACKENDS),
        EntryPoint("scripted", "portmap.testing.scripted:ScriptedBackend", BACKENDS),
        EntryPoint("protonvpn", "portmap_natpmp:ProtonVpn", BACKENDS),
    ]
    assert loaded_names(installed_candidates(Catalogue(BACKENDS, entries), without=AnyBackend)) == []


def test_the_preference_of_a_class_is_its_rank() -> None:
    runners = installed_candidates(
        Catalogue(BACKENDS, [EntryPoint("pmp", "portmap_natpmp:NatPmp", BACKENDS)]), without=AnyBackend
    )
    loaded_names(runners)
    assert [runner.rank for runner in runners] == [2]


def test_the_order_of_a_list_is_its_preference_and_every_named_backend_takes_part() -> None:
    runners = listed_candidates("upnp,protonvpn,pmp:127.0.0.1", Catalogue(BACKENDS), without=AnyBackend)
    ranked = sorted(runners, key=lambda runner: runner.rank, reverse=True)
    assert [str(runner.nat) for runner in ranked] == ["UPnP", "ProtonVPN 10.2.0.1", "NAT-PMP 127.0.0.1"]


def test_an_idle_loader_loads_nothing() -> None:
    runner = loads("x", lambda: Nat(Runner("1.1.1.1"), "x"))
    loader = CandidateLoader([runner])
    loader.pause()
    assert not runner.is_loading
    loader.resume()
    assert str(runner.loaded.result(LONG)) == "gateway 1.1.1.1"
