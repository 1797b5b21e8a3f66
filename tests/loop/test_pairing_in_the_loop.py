"""Ring 2: pairs and followers on scripted time, at a gateway where neighbours hold ports."""

from collections.abc import Callable
from itertools import chain, count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portmap.errors import Conflict, Refused
from portmap.events import PortEvent
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import GatewayAlert, Message, Register, Unregister
from portmap.loop.policy import OnConflict, Policy
from portmap.model import Grant, Key, Protocol
from portmap.syntax.mappings import parse_mappings
from portmap.testing.scripted import Recording, ScriptedBackend, play

TCP, UDP = Protocol.TCP, Protocol.UDP
FOREVER = 1e9
RARELY = Policy(ip_interval=5000)  # no check in between: what is seen is renewals
FRESH = 49152  # what chance 0 draws


class Town(ScriptedBackend):
    """NAT-PMP's ways: an internal port keeps its external one; where that is taken the next free one is given.

    `taken`: what neighbours hold. `drawn`: what the gateway gives instead, whatever it is asked for.
    """

    def __init__(self, *taken: Key, drawn: Callable[[Protocol, int], int] | None = None) -> None:
        super().__init__()
        self.taken = set(taken)
        self._drawn = drawn or self._next_free

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        self._hear("add_mapping", protocol, external_port, internal_port, lifetime)
        held = self.table.get((protocol, internal_port))
        port = held or self._drawn(protocol, external_port or internal_port)
        self.table[protocol, internal_port] = port
        self._suffer("the answer")
        return Grant(port, lifetime)

    def _next_free(self, protocol: Protocol, wanted: int) -> int:
        ours = {(own, port) for (own, _), port in self.table.items()}
        ports = chain(range(wanted, 65536), range(1024, wanted))
        return next(port for port in ports if (protocol, port) not in self.taken | ours)


def never_the_same() -> Callable[[Protocol, int], int]:
    """A gateway's way to choose: every time another port."""
    ports = count(5001)
    return lambda protocol, wanted: next(ports)


def wanted(*texts: str, at: float = 0.0) -> list[tuple[float, Message]]:
    """The part of a story in which ports are asked for."""
    return [(at, Register(request)) for request in parse_mappings(texts)]


def mappings(told: Recording, *, until: float = FOREVER) -> list[str]:
    """What was told of mappings, as `added TCP 4001`."""
    events = [event for at, event in told.events if isinstance(event, PortEvent) and at < until]
    return [f"{event.event.removeprefix('mapping.')} {event.protocol} {event.external_port}" for event in events]


def reasons(told: Recording) -> list[str]:
    """Every reason that was given with a mapping."""
    return [event.reason for _, event in told.events if isinstance(event, PortEvent) and event.reason]


def calls(town: Town, hook: str) -> list[tuple[object, ...]]:
    """The arguments of a hook's calls, but for the lifetime."""
    return [call.arguments[:3] for call in town.calls if call.hook == hook]


# pairs


def test_a_pair_that_finds_its_port_free_is_asked_for_once_each() -> None:
    town = Town()
    assert mappings(play(town, wanted("4001/both"), end=1), until=1) == ["added TCP 4001", "added UDP 4001"]
    assert calls(town, "add_mapping") == [(TCP, 0, 4001), (UDP, 4001, 4001)]


@pytest.mark.parametrize("text", ["4001/both", "4001:4001/both", "4001:8080/both"])
def test_the_second_half_is_asked_for_at_the_port_that_the_first_was_given(text: str) -> None:
    town = Town((TCP, 4001), drawn=None if ":" in text else lambda protocol, wanted: max(wanted, 4002))
    assert mappings(play(town, wanted(text), end=1), until=1) == ["added TCP 4002", "added UDP 4002"]


def test_a_half_that_is_registered_later_is_asked_for_there_too() -> None:
    tcp, udp = parse_mappings(["4001/both"])
    town = Town((TCP, 4001))
    told = play(town, [(0, Register(tcp)), (50, Register(udp))], end=60)
    assert mappings(told, until=60) == ["added TCP 4002", "renewed TCP 4002", "added UDP 4002"]


def test_where_the_second_half_cannot_be_there_the_first_one_moves_to_it() -> None:
    town = Town((TCP, 4001), (UDP, 4002))
    told = play(town, wanted("4001/both"), end=1)
    assert mappings(told, until=1)[:3] == ["added TCP 4002", "added UDP 4003", "changed TCP 4003"]
    assert calls(town, "delete_mapping")[0] == (TCP, 4002, 4001)


def test_after_a_move_both_halves_are_opened_anew_for_it_may_have_shut_the_one_that_stays() -> None:
    town = Town((TCP, 4001), (UDP, 4002))
    told = play(town, wanted("4001/both"), end=1)
    assert mappings(told, until=1)[3:] == ["renewed TCP 4003", "renewed UDP 4003"]
    assert calls(town, "delete_mapping")[1:3] == [(TCP, 4003, 4001), (UDP, 4003, 4001)]


def test_a_hole_that_neither_finds_alone_is_found_by_a_fresh_port() -> None:
    taken = [(TCP, port) for port in range(4001, 4400, 2)] + [(UDP, port) for port in range(4002, 4400, 2)]
    told = play(Town(*taken), wanted("4001/both"), end=1)
    changed = [line for line in mappings(told, until=1) if line.startswith("changed")]
    assert changed[-2:] == [f"changed UDP {FRESH}", f"changed TCP {FRESH}"]


def test_without_a_common_port_four_moves_are_tried_and_the_reason_is_told() -> None:
    town = Town(drawn=never_the_same())
    told = play(town, wanted("4001/both"), end=3000)
    assert len(calls(town, "delete_mapping")) == 4 + 2  # the moves, and the way out
    assert reasons(told)[-1] == "TCP has 5006 and UDP 5005: the gateway gave no common port"
    assert len(told.of("mapping.changed")) == 3  # the one that moved itself was not told of


def test_the_reason_is_told_once() -> None:
    told = play(Town(drawn=never_the_same()), wanted("4001/both"), end=3000)
    assert len([reason for reason in reasons(told) if "no common port" in reason]) == 1


def test_after_a_reboot_it_is_tried_again() -> None:
    town = Town(drawn=lambda protocol, wanted: wanted if town.inbox.seconds >= 50 else next(ports))
    ports = count(5001)
    told = play(town.reboots(50), [*wanted("4001/both"), (50, GatewayAlert("rebooted"))], end=60)
    tcp, udp = mappings(told)[-2:]
    assert tcp.split()[-1] == udp.split()[-1]


def test_a_reboot_that_gives_one_half_away_takes_the_other_along() -> None:
    town = Town().reboots(50)
    story = [*wanted("4001/both"), (50.0, GatewayAlert("rebooted"))]
    town._drawn = lambda protocol, wanted: 4009 if (protocol, town.inbox.seconds) == (UDP, 50) else wanted
    told = play(town, story, end=60)
    assert mappings(told, until=60)[2:5] == ["renewed TCP 4001", "changed UDP 4009", "changed TCP 4009"]


def test_two_ports_that_were_not_asked_for_together_stay_apart() -> None:
    told = play(Town((TCP, 4001)), wanted("4001/tcp", "4001/udp"), end=1)
    assert mappings(told, until=1) == ["added TCP 4002", "added UDP 4001"]


def test_where_only_one_port_will_do_a_pair_waits_for_it_and_nothing_is_moved() -> None:
    town = Town((TCP, 4001))
    told = play(town, wanted("4001/both"), end=1, policy=Policy(on_conflict=OnConflict.FAIL))
    assert [event.event for _, event in told.events][2:4] == ["mapping.failed", "mapping.added"]
    assert {(own, port) for (own, _), port in town.table.items()} <= {(UDP, 4001)}


def test_what_cannot_be_deleted_stays_where_it_is_and_the_reason_is_told() -> None:
    town = Town((TCP, 4001), (UDP, 4002))
    told = play(town.refuse(0, 10, hook="delete_mapping"), wanted("4001/both"), end=20)
    assert mappings(told, until=20) == ["added TCP 4002", "added UDP 4003", "renewed TCP 4002", "renewed UDP 4003"]
    assert reasons(told)[-1] == "TCP has 4002 and UDP 4003: the gateway gave no common port"


def test_a_move_that_is_refused_is_a_loss_until_it_is_granted() -> None:
    town = Town((TCP, 4001), (UDP, 4002))
    town.fails(0, 2, lambda: Conflict("taken"), "moved")
    town._drawn = lambda protocol, wanted: town._next_free(protocol, wanted) if not _moving(town) else _suffer(town)
    told = play(town, wanted("4001/both"), end=20)
    mended = ["lost TCP 4002", "failed TCP None", "renewed UDP 4003", "added TCP 4003"]
    assert mappings(told, until=20)[2:6] == mended


def _moving(town: Town) -> bool:
    return len(calls(town, "delete_mapping")) > 0


def _suffer(town: Town) -> int:
    town._suffer("moved")
    return town._next_free(TCP, 4003)


def test_a_stop_in_the_middle_of_a_move_leaves_nothing_behind() -> None:
    town = Town((TCP, 4001), (UDP, 4002))
    play(town.silent(0, 1, hook="delete_mapping", after=5), wanted("4001/both"), end=2)
    assert town.table == {}


def test_a_move_whose_answer_is_lost_leaves_nothing_behind() -> None:
    town = Town((TCP, 4001), (UDP, 4002))
    story = [*wanted("4001/both"), (100.0, Unregister((TCP, 4001)))]
    play(town.unheard(0.5, FOREVER), story, end=200)
    assert town.table == {}


def test_a_half_that_is_let_go_leaves_the_other_where_it_is() -> None:
    town = Town((TCP, 4001))
    told = play(town, [*wanted("4001/both"), (50, Unregister((TCP, 4001)))], end=1000, policy=RARELY)
    assert mappings(told)[2:] == ["removed TCP 4002", *["renewed UDP 4002"] * 4, "removed UDP 4002"]


PORTS = st.frozensets(st.tuples(st.sampled_from(Protocol), st.integers(4001, 4008)))


@settings(max_examples=60, deadline=None)
@given(PORTS, st.sampled_from(["4001/both", "4001=follow/both", "4001-4003/both"]), st.floats(0, 1))
def test_whatever_the_neighbours_hold_every_pair_ends_on_one_port(
    taken: frozenset[Key], text: str, spread: float
) -> None:
    town = Town(*taken)
    told = play(town, wanted(text), end=250, spread=spread)
    last = {event.key: event.external_port for _, event in told.events if isinstance(event, PortEvent)}
    assert all(last[TCP, port] == last[UDP, port] for _, port in last)
    assert not any("no common port" in reason or "to itself" in reason for reason in reasons(told))
    assert town.table == {}


# following


def draws(*ports: int, every: float = 1000.0) -> Callable[[Town], Callable[[Protocol, int], int]]:
    """A VPN's way to choose: one port for both protocols, another one every so many seconds."""
    return lambda town: lambda protocol, wanted: ports[int(town.inbox.seconds / every) % len(ports)]


def vpn(*ports: int, every: float = 1000.0) -> Town:
    town = Town()
    town._drawn = draws(*ports, every=every)(town)
    return town


def test_whatever_port_is_drawn_is_the_one_to_listen_on() -> None:
    told = play(vpn(37713), wanted("follow/both"), end=1)
    assert mappings(told, until=1) == ["added TCP 37713", "added UDP 37713"]
    assert all(event.follow for _, event in told.of("mapping.added") if isinstance(event, PortEvent))
    assert reasons(told) == []


@pytest.mark.parametrize("text", ["follow/both", "0=follow/both"])
def test_a_nominal_internal_port_is_asked_for_as_it_is_and_nothing_is_deleted_to_move(text: str) -> None:
    town = Town(drawn=lambda protocol, wanted: 40000 if protocol is TCP else 40001)
    told = play(town, wanted(text), end=1)
    assert len(calls(town, "delete_mapping")) == 2  # on the way out
    assert reasons(told)[-1] == "TCP has 40000 and UDP 40001: the gateway gave no common port"


def test_a_gateway_that_draws_another_port_is_followed_by_both_at_once() -> None:
    town = vpn(37713, 41234, every=250).reboots(290)
    told = play(town, wanted("follow/both"), end=310, policy=RARELY)
    assert [(at, event.to_dict()["external_port"]) for at, event in told.of("mapping.changed")] == [
        (300, 41234),
        (300, 41234),
    ]


def test_the_internal_port_is_taken_along_to_the_external_one() -> None:
    town = Town((TCP, 6881))
    told = play(town, wanted("6881=follow"), end=1)
    assert mappings(told) == ["added TCP 6882", "removed TCP 6882"]
    assert calls(town, "add_mapping") == [(TCP, 0, 6881), (TCP, 6882, 6882)]
    assert calls(town, "delete_mapping") == [(TCP, 6882, 6881), (TCP, 6882, 6882)]


def test_the_mapping_keeps_the_name_that_it_was_asked_for_by() -> None:
    ((_, event),) = play(Town((TCP, 6881)), wanted("bt=6881=follow"), end=1).of("mapping.added")
    assert isinstance(event, PortEvent)
    assert (event.key, event.external_port, event.follow, event.name) == ((TCP, 6881), 6882, True, "bt")


def test_where_the_first_answer_fits_nothing_is_moved() -> None:
    town = Town()
    assert mappings(play(town, wanted("6881=follow"), end=1), until=1) == ["added TCP 6881"]
    assert len(town.calls) == 3


def test_it_is_renewed_where_it_is() -> None:
    town = Town((TCP, 6881))
    play(town, wanted("6881=follow"), end=650, policy=RARELY)
    assert calls(town, "add_mapping")[2:] == [(TCP, 6882, 6882)] * 2


def test_where_no_port_leads_to_itself_it_leads_to_the_one_that_was_asked_for() -> None:
    town = Town(drawn=never_the_same())
    ((_, event),) = play(town, wanted("6881=follow"), end=1000).of("mapping.added")
    assert isinstance(event, PortEvent)
    assert event.reason == "the gateway maps no port to itself: let the application listen on 6881"
    assert event.follow is None
    assert calls(town, "add_mapping")[-1] == (TCP, event.external_port, 6881)
    assert town.table == {}


def test_no_other_port_of_ours_is_taken_over() -> None:
    town = Town((TCP, 6881))
    told = play(town, wanted("7000:6882", "6881=follow"), end=1)
    assert mappings(told, until=1) == ["added TCP 7000", f"added TCP {FRESH}"]


def test_a_mapping_that_follows_takes_any_external_port_under_on_conflict_fail() -> None:
    told = play(vpn(37713), wanted("follow"), end=1, policy=Policy(on_conflict=OnConflict.FAIL))
    assert mappings(told, until=1) == ["added TCP 37713"]


def test_an_unannounced_mapping_is_deleted_all_the_same() -> None:
    town = Town((TCP, 6881))
    play(town.silent(0, 1, hook="delete_mapping", after=5), wanted("6881=follow"), end=2)
    assert town.table == {}


# what the backend wants back


class Tokens(ScriptedBackend):
    """Gives a token with every mapping, and notes what it is given."""

    given: list[str]

    @hookimpl
    def add_mapping(  # type: ignore[override]  # a hook takes the arguments that it needs
        self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int, token: str
    ) -> Grant:
        self.given = [*getattr(self, "given", []), token]
        grant = super().add_mapping(protocol, external_port, internal_port, lifetime)
        return Grant(grant.external_port, lifetime, token=f"nonce of {protocol}")

    @hookimpl
    def delete_mapping(  # type: ignore[override]  # as above
        self, protocol: Protocol, external_port: int, internal_port: int, token: str
    ) -> None:
        self.given.append(token)
        super().delete_mapping(protocol, external_port, internal_port)


def test_a_token_comes_back_with_every_call_also_after_a_failure() -> None:
    backend = Tokens()
    play(backend.refuse(300, 700), wanted("4001"), end=800)
    assert set(backend.given[1:]) == {"nonce of TCP"}


def test_the_first_time_there_is_none() -> None:
    backend = Tokens()
    play(backend, wanted("4001"), end=1)
    assert backend.given[0] == ""


# what needs nothing, and who says when to ask again


class Open(ScriptedBackend):
    """A host that is reachable as it stands."""

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        super().add_mapping(protocol, external_port, internal_port, lifetime)
        return Grant(external_port or internal_port, 0, static=True)


def test_what_needs_nothing_is_told_as_such_and_asserted_now_and_then() -> None:
    told = play(Open(), wanted("4001/both"), end=650)
    assert [event.to_dict()["static"] for _, event in told.of("mapping.added")] == [True, True]
    assert sorted(mappings(told, until=650)[2:]) == ["renewed TCP 4001"] * 2 + ["renewed UDP 4001"] * 2


def test_a_gateway_that_says_when_to_ask_again_is_not_asked_before() -> None:
    backend = ScriptedBackend().fails(0, 100, lambda: Refused("later", retry_after=40), "add_mapping")
    play(backend, wanted("4001"), end=200)
    assert [call.at for call in backend.calls if call.hook == "add_mapping"] == [0, 40, 80, 120]


def test_an_alert_is_a_reason_to_ask_all_the_same() -> None:
    backend = ScriptedBackend().fails(0, 10, lambda: Refused("later", retry_after=1800), "add_mapping")
    told = play(backend, [*wanted("4001"), (20, GatewayAlert("rebooted"))], end=30)
    assert [at for at, _ in told.of("mapping.added")] == [20]
