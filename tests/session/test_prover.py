"""Prover: on a scripted clock, with scripted verdicts; what it tells and what it has mended."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

import pytest

from portmap.errors import SpecError
from portmap.events import Event
from portmap.model import Key, Mapping, PortRequest, Protocol
from portmap.reachability.check import Endpoint
from portmap.reachability.echo import EchoClient
from portmap.reachability.proof import SETTLING
from portmap.reachability.prove_setting import ProveSetting
from portmap.reachability.repair_step import RepairStep
from portmap.reachability.verdict import Blame, Reachability, Verdict
from portmap.session.prover import STEP_TIME, Prover

URL = "http://127.0.0.1:8080"
WEB = Mapping(Protocol.TCP, 8443, 443, 600, IPv4Address("11.22.33.1"), "web")
OPEN = Reachability(Protocol.TCP, 8443, 443, WEB.external_ip, Verdict.OPEN, "reached", how="a responder outside", ms=3)
SHUT = replace(OPEN, verdict=Verdict.CLOSED, reason="nothing arrives", how="", by=Blame.ON_THE_WAY)


@dataclass
class Scene:
    """A prover, its world, and what became of it."""

    verdicts: Iterator[Reachability]
    mappings: list[Mapping] = field(default_factory=lambda: [WEB])
    now: float = 0.0
    told: list[str] = field(default_factory=list)
    steps: list[tuple[Key, RepairStep]] = field(default_factory=list)
    asked: list[Endpoint] = field(default_factory=list)
    relays: bool = False
    takes: float = 0.0
    """How many seconds the gateway takes for a step."""
    granted_at: float = float("inf")

    def prover(self, every: int = 5) -> Prover:
        return Prover(
            ProveSetting(EchoClient.parse(URL), every, self.relays),
            lambda: self.mappings,
            self.tell,
            self.repair,
            lambda: "NAT-PMP 127.0.0.1",
            self.check,
            lambda: self.now,
        )

    def repair(self, key: Key, step: RepairStep) -> None:
        self.steps.append((key, step))
        self.granted_at = self.now + self.takes

    def tell(self, event: Event) -> None:
        self.told.append(f"{event.event}: {event.to_dict().get('reason', '')}")

    def check(self, request: PortRequest, endpoint: Endpoint, responder: EchoClient) -> Reachability:
        self.asked.append(endpoint)
        return next(self.verdicts)

    def run(self, prover: Prover, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            if self.now >= self.granted_at:  # each grant tells a mapping of its own
                self.mappings, self.granted_at = [replace(it) for it in self.mappings], float("inf")
            prover.prove_next()
            self.now += 0.5


def test_a_reached_port_is_told_once_and_checked_at_its_interval() -> None:
    scene = Scene(iter([OPEN] * 9))
    scene.run(scene.prover(), 20.0)
    assert scene.told == ["mapping.reachable: "]
    assert len(scene.asked) == 4


def test_a_mapping_that_forwards_nothing_is_told_and_mended_step_by_step() -> None:
    scene = Scene(iter([OPEN, SHUT, SHUT, OPEN, OPEN]))
    scene.run(scene.prover(), 5.0 + 2 * SETTLING + 1)
    assert [told.partition(";")[0] for told in scene.told] == [
        "mapping.reachable: ",
        "mapping.unreachable: nothing arrives",
        "mapping.reachable: ",
    ]
    assert scene.steps == [(WEB.key, RepairStep.RENEW), (WEB.key, RepairStep.REOPEN)]


def test_a_step_is_proved_when_the_gateway_has_taken_it() -> None:
    scene = Scene(iter([SHUT, OPEN]), takes=4.0)
    prover = scene.prover()
    scene.run(prover, 4.0 + SETTLING - 0.5)
    assert len(scene.asked) == 1
    scene.run(prover, 1.0)
    assert scene.told[-1] == "mapping.reachable: "
    assert scene.steps == [(WEB.key, RepairStep.RENEW)]


def test_a_step_that_the_gateway_never_takes_is_not_waited_for_without_end() -> None:
    scene = Scene(iter([SHUT, SHUT]), takes=float("inf"))
    scene.run(scene.prover(), STEP_TIME + SETTLING + 1.0)
    assert [step for _, step in scene.steps] == [RepairStep.RENEW, RepairStep.REOPEN]


def test_a_mapping_at_another_port_is_proved_soon() -> None:
    scene = Scene(iter([OPEN] * 9))
    prover = scene.prover(every=3600)
    scene.run(prover, 1.0)
    scene.mappings = [replace(WEB, external_port=444)]
    scene.run(prover, SETTLING + 1.0)
    assert [endpoint.port for endpoint in scene.asked] == [443, 444]


def test_what_is_open_no_more_has_no_verdict() -> None:
    scene = Scene(iter([OPEN] * 9))
    prover = scene.prover()
    scene.run(prover, 1.0)
    assert prover.found == {WEB.key: OPEN}
    scene.mappings = []
    scene.run(prover, 1.0)
    assert prover.found == {}


def test_a_port_that_is_forwarded_by_hand_is_proved_at_each_check_and_nothing_is_done_to_it() -> None:
    scene = Scene(iter([OPEN, SHUT, SHUT, OPEN]), mappings=[replace(WEB, static=True)])
    scene.run(scene.prover(every=5), 16.0)
    assert len(scene.asked) == 4
    assert scene.steps == []
    assert scene.told == ["mapping.reachable: ", "mapping.unreachable: nothing arrives", "mapping.reachable: "]


@pytest.mark.parametrize(("text", "every"), [(URL, 300), (f"{URL},every=5s", 5), (f"{URL},every=1h", 3600)])
def test_the_setting_is_a_url_and_an_interval(text: str, every: int) -> None:
    setting = ProveSetting.parse(text)
    assert (str(setting.responder), setting.every) == (URL, every)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", f"{URL},every=1s", f"{URL},every=", f"{URL},every=2d", ",every=5s", "http://u:secret@[,every=5s"],
)
def test_a_setting_without_sense_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        ProveSetting.parse(text)
    assert "secret" not in str(caught.value)


def test_where_portmaps_own_relay_takes_what_arrives_the_port_leads_to_loopback() -> None:
    scene = Scene(iter([OPEN]), relays=True)
    scene.prover().prove_next()
    assert [(endpoint.client, endpoint.relayed) for endpoint in scene.asked] == [(IPv4Address("127.0.0.1"), True)]
