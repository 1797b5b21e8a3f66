"""The race: all are asked at once, the first true answer wins."""

import threading
import time
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from ipaddress import IPv4Address

import pytest

from portmap.builtin import AnyGateway
from portmap.errors import GatewayTimeout, NoGateway, Refused
from portmap.hookspecs import BACKENDS
from portmap.model import Protocol
from portmap.nat import Nat
from portmap.plugins import Catalogue
from portmap.race import Race, installed_runners
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

    def __str__(self) -> str:
        return f"gateway {self.address}"

    def _hear(self, hook: str, *arguments: object) -> None:
        super()._hear(hook, *arguments)
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


def race(*runners: Runner, patience: float = LONG) -> Race:
    return Race(lambda: [Nat(runner, str(runner)) for runner in runners], patience)


def test_the_first_to_answer_wins(gate: threading.Event) -> None:
    nat, address = race(Runner("1.1.1.1", gate=gate), Runner("2.2.2.2")).run()
    assert (str(nat), address) == ("gateway 2.2.2.2", IPv4Address("2.2.2.2"))


@pytest.mark.parametrize("error", [Refused("no uplink"), NoGateway("nobody"), ValueError("oops")])
def test_an_error_is_no_answer_however_fast(error: Exception) -> None:
    nat, _ = race(Runner("1.1.1.1", error=error), Runner("2.2.2.2", delay=0.02)).run()
    assert str(nat) == "gateway 2.2.2.2"


def test_the_unspecified_address_is_no_true_answer() -> None:
    nat, _ = race(Runner("0.0.0.0"), Runner("2.2.2.2", delay=0.02)).run()  # noqa: S104  # nothing is bound
    assert str(nat) == "gateway 2.2.2.2"


def test_when_nobody_answers_everybodys_reason_is_told(gate: threading.Event) -> None:
    runners = Runner("1.1.1.1", error=Refused("no uplink")), Runner("2.2.2.2", gate=gate)
    with pytest.raises(NoGateway) as caught:
        race(*runners, patience=SOON).run()
    assert str(caught.value) == (
        "no gateway answered (gateway 1.1.1.1: no uplink; gateway 2.2.2.2: did not answer within 0.1 s)"
    )


def test_when_all_have_failed_nobody_waits_on() -> None:
    begun = time.monotonic()
    with pytest.raises(NoGateway):
        race(Runner("1.1.1.1", error=GatewayTimeout("silence")), patience=LONG).run()
    assert time.monotonic() - begun < 1


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


def test_who_still_hangs_from_the_last_heat_is_not_asked_again(gate: threading.Event) -> None:
    hung = Runner("1.1.1.1", gate=gate)
    heats = race(hung, Runner("2.2.2.2"))
    heats.run()
    heats.run()
    assert len(hung.calls) == 1


def test_who_answers_late_counts_in_the_next_heat(gate: threading.Event) -> None:
    slow = Runner("1.1.1.1", gate=gate)
    heats = race(slow, patience=SOON)
    with pytest.raises(NoGateway):
        heats.run()
    threading.Timer(SOON / 2, gate.set).start()
    assert str(heats.run()[0]) == "gateway 1.1.1.1"
    assert len(slow.calls) == 1


def test_who_hangs_in_another_call_is_named_as_such(gate: threading.Event) -> None:
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
    heats = Race(make)
    before = len(made)
    heats.run()
    heats.run()
    assert (before, len(made)) == (0, 1)


def test_a_runner_up_answered_too() -> None:
    heats = race(Runner("1.1.1.1"), Runner("2.2.2.2", delay=0.02), Runner("3.3.3.3", error=NoGateway("nobody")))
    winner, _ = heats.run()
    assert [str(nat) for nat in heats.runners_up(winner)] == ["gateway 2.2.2.2"]


def test_a_runner_up_gets_the_rest_of_the_heat_and_no_more(gate: threading.Event) -> None:
    heats = race(Runner("1.1.1.1"), Runner("2.2.2.2", gate=gate), patience=SOON)
    winner, _ = heats.run()
    begun = time.monotonic()
    assert heats.runners_up(winner) == []
    assert time.monotonic() - begun < 1


def test_every_installed_leasing_backend_takes_part_once_however_many_names_it_has() -> None:
    runners = installed_runners(Catalogue(BACKENDS), without=AnyGateway)
    assert sorted(str(nat) for nat in runners) == ["NAT-PMP", "UPnP"]


def test_who_is_broken_or_needs_an_argument_takes_no_part() -> None:
    entries = [
        EntryPoint("broken", "no_such_module:Class", BACKENDS),
        EntryPoint("static", "portmap_extip:ExtIp", BACKENDS),
        EntryPoint("any", "portmap.builtin:AnyGateway", BACKENDS),
        EntryPoint("scripted", "portmap.testing.scripted:ScriptedBackend", BACKENDS),
    ]
    assert installed_runners(Catalogue(BACKENDS, entries), without=AnyGateway) == []
