"""The race of `any`: candidates that are loaded beside it, late answers, and who takes part."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from functools import partial
from importlib.metadata import EntryPoint

import pytest
from tests.backends.scripted_candidates import LONG, SOON, Loading, Runner, race
from tests.stopwatch import Stopwatch

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import Candidate as Entrant
from portmap.backends.any.candidates import CandidateLoader, installed_candidates, listed_candidates
from portmap.backends.any.race import Race
from portmap.backends.nat import Nat
from portmap.errors import (
    GatewayTimeout,
    NoGateway,
    PluginError,
    SpecError,
)
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.model import Protocol

# who is loaded beside the race


def loads(name: str, judge: Callable[[], Nat | None]) -> Entrant:
    return Loading(name, judge)


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


def test_a_runner_up_answered_too(gate: threading.Event) -> None:
    race_ = race(Runner("1.1.1.1"), Runner("2.2.2.2", gate=gate), Runner("3.3.3.3", error=NoGateway("no answer")))
    winner, _ = race_.run()
    gate.set()
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
        EntryPoint("protonvpn", "portmap_natpmp.protonvpn:ProtonVpn", BACKENDS),
    ]
    assert loaded_names(installed_candidates(Catalogue(BACKENDS, entries), without=AnyBackend)) == []


def test_the_backends_with_the_shortest_names_are_loaded_first() -> None:
    entries = [EntryPoint(name, f"no_such_module:{name}", BACKENDS) for name in ("miniupnpc", "pmp", "upnp", "pcp")]
    candidates = installed_candidates(Catalogue(BACKENDS, entries), without=AnyBackend)
    assert [candidate.name for candidate in candidates] == ["pcp", "pmp", "upnp", "miniupnpc"]


def test_only_a_backend_that_takes_an_interface_takes_part_where_one_is_chosen() -> None:
    entries = [
        EntryPoint("pmp", "portmap_natpmp:NatPmp", BACKENDS),
        EntryPoint("old", f"{__name__}:Old", BACKENDS),
    ]
    found = installed_candidates(Catalogue(BACKENDS, entries), without=AnyBackend, interface="eth1")
    CandidateLoader(found).resume()
    wait([runner.loaded for runner in found])
    old, pmp = found
    assert str(pmp.nat) == "NAT-PMP"
    assert pmp.name == "pmp"  # a token begins with it
    with pytest.raises(SpecError, match="old uses no interface that can be chosen: leave out eth1"):
        old.loaded.result()


class Old(Runner):
    """Of the time before interfaces."""

    preference = 1

    @classmethod
    def from_argument(cls, argument: str | None) -> "Old":
        return cls(argument or "1.1.1.1")


def test_every_member_of_a_list_must_take_the_interface() -> None:
    with pytest.raises(SpecError, match="miniupnpc connects as the routes say, not by eth1: use upnp"):
        listed_candidates("pmp,miniupnpc", Catalogue(BACKENDS), without=AnyBackend, interface="eth1")


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


def test_the_first_that_takes_part_has_the_lead_to_itself() -> None:
    loaded_at: list[float] = []

    def backend(takes_part: bool) -> Nat | None:
        loaded_at.append(time.monotonic())
        return Nat(Runner("1.1.1.1"), "x") if takes_part else None

    found = [loads(str(number), partial(backend, number != 0)) for number in range(3)]
    CandidateLoader(found, lead=SOON).resume()
    wait([it.loaded for it in found])
    assert loaded_at[2] - loaded_at[1] >= SOON


def test_an_idle_loader_loads_nothing() -> None:
    runner = loads("x", lambda: Nat(Runner("1.1.1.1"), "x"))
    loader = CandidateLoader([runner])
    loader.pause()
    assert not runner.is_loading
    loader.resume()
    assert str(runner.loaded.result(LONG)) == "gateway 1.1.1.1"
