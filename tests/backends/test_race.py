"""The race of `any`: who wins, what a preference is worth, and what is told of a round."""

import re
import threading
from ipaddress import IPv4Address

import pytest
from tests.backends.scripted_candidates import LONG, SOON, Runner, race, ranked
from tests.stopwatch import Stopwatch

from portmap.backends.any import race_round
from portmap.errors import (
    Garbled,
    NoGateway,
    NoPublicAddress,
    NotAuthorized,
    NotYet,
    Refused,
    UnverifiedGateway,
)
from portmap.hookspecs import hookimpl


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
    tries = [Stopwatch() for _ in range(3)]  # a race that is late is late each time, a machine that stalls is not
    for watch in tries:
        with watch, pytest.raises(NoGateway):
            race(Runner("1.1.1.1", gate=gate), timeout=SOON).run()
        assert watch.elapsed >= SOON
    assert min(watch.seconds for watch in tries) < SOON + 0.2  # seconds: the bar


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
