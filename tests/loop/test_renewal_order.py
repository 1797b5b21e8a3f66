"""TCP and UDP of one internal port, at gateways that keep their filter rules as miniupnpd does."""

from collections import defaultdict
from dataclasses import dataclass, field
from random import Random
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.loop.rule_order import LEASE, PORT, TCP, UDP

from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NATError, Refused
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import GatewayAlert, Message, NetworkAlert, Register, Unregister
from portmap.loop.loop import Loop
from portmap.model import Grant, Key, Protocol
from portmap.syntax.mappings import parse_mappings
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import Recording, ScriptedBackend

BOTH = {TCP, UDP}
ROUND = LEASE * 5 / 8 + 5  # seconds in which everything is asked for once, whatever chance says
Story: TypeAlias = list[tuple[float, Message]]
PAIR: Story = [(0.0, Register(request)) for request in parse_mappings([f"{PORT}/both"])]
SPEAKS = pytest.mark.parametrize("soap", [False, True], ids=["datagrams", "soap"])
CHANCE = pytest.mark.parametrize("chance", range(8))


class Miniupnpd(ScriptedBackend):
    """miniupnpd 2.3.1 with nftables, as seen in the lab.

    `rules`: of each client, what is let through to our port, oldest first. The newest goes, whosever it is, when a
    mapping is deleted, ends, or is renewed by datagram; a renewal by SOAP touches none.
    """

    def __init__(self, *, soap: bool = False) -> None:
        super().__init__()
        self.rules: dict[str, list[Protocol]] = defaultdict(list)
        self.redirects: dict[tuple[Protocol, int], tuple[str, float]] = {}
        self.forgets: list[float] = []
        self.moves_house: list[float] = []
        self._soap = soap

    @property
    def us(self) -> str:
        """Our own address, as the gateway sees it."""
        return f"host {len([at for at in self.moves_house if at <= self.inbox.seconds])}"

    @property
    def open(self) -> set[Protocol]:
        """What bytes get through to us by."""
        mapped = {protocol for (protocol, _), (client, _) in self.redirects.items() if client == self.us}
        return mapped & set(self.rules[self.us])

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        self._hear("add_mapping", protocol, external_port, internal_port, lifetime)
        port = external_port or internal_port
        while self.redirects.get((protocol, port), (self.us, 0))[0] != self.us:
            port += 1
        if (protocol, port) not in self.redirects or not self._soap:
            self._end(protocol, port)
            self.rules[self.us].append(protocol)
        self.redirects[protocol, port] = self.us, self.inbox.seconds + lifetime
        self._suffer("the answer")
        return Grant(port, lifetime)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        self._hear("delete_mapping", protocol, external_port, internal_port)
        if self.redirects.get((protocol, external_port), ("", 0))[0] == self.us:
            self._end(protocol, external_port)

    def _end(self, protocol: Protocol, port: int) -> None:
        client, _ = self.redirects.pop((protocol, port), ("", 0.0))
        if self.rules[client]:
            self.rules[client].pop()

    def _hear(self, hook: str, *arguments: object) -> None:
        self.inbox.pass_time(0.005)
        now = self.inbox.seconds
        if self.forgets and self.forgets[0] <= now:
            self.forgets = [at for at in self.forgets if at > now]
            self.redirects.clear()
            self.rules.clear()
        for key in [key for key, (_, expires) in self.redirects.items() if expires <= now]:
            self._end(*key)
        super()._hear(hook, *arguments)


@dataclass(slots=True)
class Seen(Recording):
    """What was open whenever the loop went to sleep."""

    gateway: Miniupnpd = field(kw_only=True)
    end: float = field(kw_only=True)
    moments: list[tuple[float, set[Protocol]]] = field(default_factory=list)

    def on_settled(self) -> None:
        if self.inbox.seconds < self.end:
            self.moments.append((self.inbox.seconds, self.gateway.open))

    def shut_since(self, at: float) -> list[tuple[float, set[Protocol]]]:
        """When something was shut, from that second on."""
        return [moment for moment in self.moments if moment[0] >= at and moment[1] != BOTH]


def live(gateway: Miniupnpd, *story: tuple[float, Message], end: float, chance: int = 0, pair: Story = PAIR) -> Seen:
    """A pair's life there, every random number drawn anew."""
    inbox = gateway.inbox = ScriptedInbox([*pair, *story], end=end)
    seen = Seen(inbox, gateway=gateway, end=end)
    Loop(Nat(gateway, "scripted"), inbox, seen, random=Random(chance).random).run()  # noqa: S311  # a die
    return seen


def asked(gateway: Miniupnpd, *, until: float) -> list[object]:
    """The protocols that were asked for, in order."""
    return [call.arguments[0] for call in gateway.calls if call.hook == "add_mapping" and call.at < until]


@SPEAKS
@CHANCE
def test_a_quiet_pair_stays_open_for_two_packets_a_round(soap: bool, chance: int) -> None:
    gateway = Miniupnpd(soap=soap)
    assert not live(gateway, end=10 * ROUND, chance=chance).shut_since(1)
    assert asked(gateway, until=10 * ROUND)[:20] == [TCP, UDP] * 10


@SPEAKS
@CHANCE
def test_what_is_forgotten_unnoticed_is_open_again_after_one_round_and_stays_so(soap: bool, chance: int) -> None:
    gateway = Miniupnpd(soap=soap)
    gateway.forgets = [700.0, 2500.0]
    seen = live(gateway, end=5000, chance=chance)
    assert not [moment for moment in seen.shut_since(700 + ROUND) if not 2500 <= moment[0] < 2500 + ROUND]


@SPEAKS
@CHANCE
@pytest.mark.parametrize("noticed", [GatewayAlert("rebooted"), NetworkAlert("another address")])
def test_what_is_forgotten_and_noticed_is_open_at_once_and_stays_so(soap: bool, chance: int, noticed: Message) -> None:
    gateway = Miniupnpd(soap=soap)
    gateway.forgets = [700.0]
    assert not live(gateway, (700.0, noticed), end=3000, chance=chance).shut_since(701)


@SPEAKS
@CHANCE
def test_at_another_address_of_ours_both_are_open_at_once_on_one_port(soap: bool, chance: int) -> None:
    gateway = Miniupnpd(soap=soap)
    gateway.moves_house = [700.0]
    seen = live(gateway, (700.0, NetworkAlert("another address")), end=3000, chance=chance)
    assert not seen.shut_since(701)
    assert {event.to_dict()["external_port"] for at, event in seen.of("mapping.renewed") if at > 1400} == {4002}


@SPEAKS
@CHANCE
@pytest.mark.parametrize("length", [20, 2000])
@pytest.mark.parametrize("forgets", [True, False])
def test_after_a_silence_both_are_open_and_stay_so(soap: bool, chance: int, length: int, forgets: bool) -> None:
    gateway = Miniupnpd(soap=soap)
    gateway.silent(650, 650 + length)
    gateway.forgets = [650 + length / 2] if forgets else []
    seen = live(gateway, end=650 + length + 3000, chance=chance)
    assert not seen.shut_since(650 + length + 62)  # the longest back-off


@CHANCE
def test_an_answer_that_was_lost_leaves_nothing_shut(chance: int) -> None:
    gateway = Miniupnpd()
    gateway.unheard(0, 3)
    assert not live(gateway, end=3000, chance=chance).shut_since(ROUND)


@SPEAKS
@pytest.mark.parametrize("gone", [TCP, UDP])
def test_the_half_that_stays_is_open_when_the_other_is_let_go(soap: bool, gone: Protocol) -> None:
    gateway = Miniupnpd(soap=soap)
    seen = live(gateway, (50, Unregister(Key(gone, PORT))), end=2000)
    assert all(BOTH - {gone} <= is_open for at, is_open in seen.moments)


@SPEAKS
@CHANCE
@pytest.mark.parametrize("taken", [TCP, UDP])
def test_a_pair_that_had_to_move_is_open_and_stays_so(soap: bool, chance: int, taken: Protocol) -> None:
    gateway = Miniupnpd(soap=soap)
    gateway.redirects[taken, PORT] = "another host", 10_000.0
    assert not live(gateway, end=3000, chance=chance).shut_since(1)


@SPEAKS
@CHANCE
@pytest.mark.parametrize("second", ["moved", "forgets"])
def test_what_strikes_between_the_two_halves_leaves_nothing_shut(soap: bool, chance: int, second: str) -> None:
    gateway = Miniupnpd(soap=soap)
    gateway.moves_house = [1.0, 1.01] if second == "moved" else [1.0]
    gateway.forgets = [1.01] if second == "forgets" else []
    story = [(at, NetworkAlert("another address")) for at in gateway.moves_house]
    assert not live(gateway, *story, end=3000, chance=chance).shut_since(2 * ROUND)


@CHANCE
def test_a_half_that_comes_later_is_asked_for_after_the_first(chance: int) -> None:
    tcp, udp = parse_mappings([f"{PORT}/both"])
    gateway = Miniupnpd()
    gateway.forgets = [1000.0]  # not noticed yet when TCP comes
    pair: Story = [(0, Register(udp)), (1001, Register(tcp))]
    assert not live(gateway, end=4000, chance=chance, pair=pair).shut_since(1002)


class Partial(Miniupnpd):
    """Has trouble with one protocol only."""

    def __init__(self, protocol: Protocol, trouble: NATError) -> None:
        super().__init__()
        self.protocol = protocol
        self.fails(0, 1000, lambda: trouble, "one of the two")

    def _hear(self, hook: str, *arguments: object) -> None:
        super()._hear(hook, *arguments)
        if self.protocol in arguments:
            self._suffer("one of the two")


def test_what_is_refused_time_and_again_does_not_have_its_elder_renewed_as_often() -> None:
    gateway = Partial(UDP, Refused("no UDP"))
    live(gateway, end=280)
    assert asked(gateway, until=280).count(TCP) == 1


def test_a_gateway_that_has_no_word_for_the_elder_but_for_others_opens_the_younger() -> None:
    seen = live(Partial(TCP, GatewayTimeout("no word")), end=280)
    assert [event.to_dict()["protocol"] for _, event in seen.of("mapping.added")] == [UDP]


WHEN = st.floats(1, 4000)
FAULTS = st.lists(
    st.one_of(
        st.tuples(st.just("forgets"), WHEN, st.just(0.0)),
        st.tuples(st.just("rebooted"), WHEN, st.just(0.0)),
        st.tuples(st.just("silent"), WHEN, st.floats(1, 900)),
        st.tuples(st.just("moved"), WHEN, st.just(0.0)),
    ),
    max_size=6,
)


@settings(max_examples=100)
@given(st.booleans(), FAULTS, st.integers(0, 10**6))
def test_whatever_strikes_both_are_open_in_the_end(
    soap: bool, troubles: list[tuple[str, float, float]], chance: int
) -> None:
    gateway = Miniupnpd(soap=soap)
    story: list[tuple[float, Message]] = []
    for what, at, length in sorted(troubles, key=lambda trouble: trouble[1]):
        if what == "silent":
            gateway.silent(at, at + length)
        if what in ("forgets", "rebooted"):
            gateway.forgets.append(at)
        if what == "moved":
            gateway.moves_house.append(at)
        if what in ("moved", "rebooted"):
            story.append((at, GatewayAlert("rebooted") if what == "rebooted" else NetworkAlert("another address")))
    assert not live(gateway, *story, end=7000, chance=chance).shut_since(5000 + ROUND)
