"""A chain of gateways that follow a script: what each is asked, in which order, and what becomes of failures."""

import threading
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest

from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.nat import Nat
from portmap.backends.none import NoNat
from portmap.errors import (
    Conflict,
    GatewayTimeout,
    NoGateway,
    NotYet,
    OutOfResources,
    PluginError,
    Refused,
    SpecError,
)
from portmap.events import Event, PortAdded, PortChanged
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.loop.inbox import Message, Register
from portmap.loop.loop import Loop
from portmap.model import Address, Grant, Key, Kind, PortRequest, Protocol
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import ScriptedBackend

TCP, UDP = Protocol.TCP, Protocol.UDP
INNER, OUTER = "10.0.0.1", "10.0.1.1"  # on this side
INNER_OUTSIDE, PUBLIC = IPv4Address("10.0.1.2"), IPv4Address("1.2.3.4")
Log = list[tuple[object, ...]]


class Gateway:
    """Has a table of where each external port leads to, and writes every call into a log that all gateways share."""

    kind = Kind.LOOP

    def __init__(self, name: str, address: Address, log: Log) -> None:
        self.name = name
        self.address = address
        self.log = log
        self.table: dict[tuple[Protocol, int], tuple[Address | None, int]] = {}
        self.errors: dict[str, Exception] = {}
        self.states_with_grant = False
        self.lifetime = 600
        self.port_for: Callable[[int], int] = lambda port: port
        self.lists: bool | None = True
        self.alerts: list[Alert] = []
        self.hints: list[str] = []
        self.note = ""
        self.hangs_until: threading.Event | None = None
        self.reboots: tuple[ScriptedInbox, float] | None = None
        self.refuses_from: tuple[ScriptedInbox, float] | None = None
        self.refusal: Exception = Refused("no more")
        self.seen: list[str] = []

    def __str__(self) -> str:
        return f"gateway {self.name}"

    @hookimpl
    def external_ip(self) -> Address:
        self._suffer("external_ip")
        return self.address

    @hookimpl
    def add_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        lifetime: int,
        token: str,
        exact: bool,
        client: Address | None,
    ) -> Grant:
        self.log.append(("add", self.name, external_port, internal_port, client, token))
        self._suffer("add_mapping")
        if exact:
            self.log.append(("exactly", self.name))
        port = self.port_for(external_port or internal_port)
        self.table[protocol, port] = (client, internal_port)
        self.seen = self.seen if self.seen[-1:] == ["open"] else [*self.seen, "open"]
        told = self.address if self.states_with_grant else None
        return Grant(port, min(lifetime, self.lifetime), told, token=f"{self.name}:{port}", note=self.note)

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> None:
        self.log.append(("delete", self.name, external_port, internal_port, client, token))
        self._suffer("delete_mapping")
        if self.table.get((protocol, external_port)) == (client, internal_port):
            del self.table[protocol, external_port]

    @hookimpl
    def has_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, client: Address | None
    ) -> bool | None:
        self._suffer("has_mapping")
        return self.lists and self.table.get((protocol, external_port)) == (client, internal_port)

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        self.alerts.append(alert)
        return lambda: self.alerts.remove(alert)

    @hookimpl
    def hint(self) -> str:
        return f"hint of {self.name}"

    @hookimpl
    def take_hint(self, hint: str) -> None:
        self.hints.append(hint)

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        return (f"{self.name} answered",)

    def _suffer(self, hook: str) -> None:
        if self.hangs_until is not None:
            self.hangs_until.wait(5)
        if self.reboots and self.reboots[0].seconds >= self.reboots[1]:
            self.table.clear()
            self.reboots = None
            self.seen.append("lost")
        if self.refuses_from and self.refuses_from[0].seconds >= self.refuses_from[1] and hook != "external_ip":
            raise self.refusal
        if hook in self.errors:
            raise self.errors[hook]


@pytest.fixture
def log() -> Log:
    return []


@pytest.fixture
def inner(log: Log) -> Gateway:
    return Gateway(INNER, INNER_OUTSIDE, log)


@pytest.fixture
def outer(log: Log) -> Gateway:
    return Gateway(OUTER, PUBLIC, log)


@pytest.fixture
def chain(inner: Gateway, outer: Gateway) -> ChainNat:
    return chain_of(inner, outer)


def chain_of(*gateways: object) -> ChainNat:
    return ChainNat([Nat(gateway, str(gateway)) for gateway in gateways], "a chain")


def add(chain: Nat, external_port: int = 0, token: str = "", protocol: Protocol = TCP) -> Grant:
    return chain.add_mapping(protocol, external_port, 8080, "web", 600, token=token)


def delete(chain: Nat, grant: Grant) -> None:
    chain.delete_mapping(TCP, grant.external_port, 8080, token=grant.token)


# Opening


def test_the_outer_gateway_maps_to_what_the_inner_one_granted(chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    inner.port_for = lambda _: 40001
    grant = add(chain, 443)
    assert inner.table == {(TCP, 40001): (None, 8080)}
    assert outer.table == {(TCP, 443): (INNER_OUTSIDE, 40001)}
    assert grant.external_port == 443


def test_the_external_address_is_the_outermost_one(chain: ChainNat) -> None:
    assert chain.external_ip() == PUBLIC


def test_the_inner_gateway_is_asked_for_no_special_port_and_the_outer_one_for_the_wanted_one(
    chain: ChainNat, log: Log
) -> None:
    add(chain, 443)
    assert [call[:4] for call in log] == [("add", INNER, 0, 8080), ("add", OUTER, 443, 8080)]


def test_without_a_wish_the_outer_gateway_is_asked_for_the_applications_port(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    inner.port_for = lambda _: 40001
    add(chain)
    assert (TCP, 8080) in outer.table


def test_three_gateways_are_a_chain_as_well(log: Log, inner: Gateway, outer: Gateway) -> None:
    third = Gateway("10.0.2.1", IPv4Address("9.9.9.9"), log)
    outer.address = IPv4Address("10.0.2.2")
    chain = chain_of(inner, outer, third)
    grant = add(chain, 443)
    assert third.table == {(TCP, 443): (IPv4Address("10.0.2.2"), 8080)}
    assert chain.external_ip() == IPv4Address("9.9.9.9")
    delete(chain, grant)
    assert [call[:2] for call in log if call[0] == "delete"] == [("delete", it) for it in ("10.0.2.1", OUTER, INNER)]


def test_the_lease_ends_with_the_first_one(chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    inner.lifetime = 120
    assert add(chain).lifetime == 120
    inner.lifetime, outer.lifetime = 0, 60  # permanent
    assert add(chain).lifetime == 60


def test_only_the_outermost_port_has_to_be_the_wanted_one(chain: ChainNat, log: Log) -> None:
    chain.add_mapping(TCP, 443, 8080, "web", 600, exact=True)
    assert [call for call in log if call[0] == "exactly"] == [("exactly", OUTER)]


def test_an_address_that_comes_with_the_grant_is_the_next_ones_client(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    inner.states_with_grant = True
    inner.errors["external_ip"] = NotYet("with a mapping only")
    assert chain.external_ip() == PUBLIC
    add(chain)
    assert outer.table == {(TCP, 8080): (INNER_OUTSIDE, 8080)}


def test_the_grant_of_the_outermost_gateway_tells_the_address(chain: ChainNat, outer: Gateway) -> None:
    outer.states_with_grant = True
    assert add(chain).external_ip == PUBLIC


def test_the_notes_of_all_hops_are_told_with_their_place(chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    inner.note, outer.note = "taken over", "not confirmed"
    add(chain)
    assert chain.grant_note(Key(TCP, 8080)) == "hop 1: taken over; hop 2: not confirmed"


# Renewal


def test_a_renewal_extends_each_hop_as_it_is_with_its_own_token(chain: ChainNat, inner: Gateway, log: Log) -> None:
    inner.port_for = lambda port: 40001 if port == 8080 else port
    grant = add(chain, 443)
    log.clear()
    again = add(chain, 443, grant.token)
    assert log == [
        ("add", INNER, 40001, 8080, None, f"{INNER}:40001"),
        ("add", OUTER, 443, 40001, INNER_OUTSIDE, f"{OUTER}:443"),
    ]
    assert again == grant


def test_where_the_inner_port_changes_the_outer_mapping_is_moved(
    chain: ChainNat, inner: Gateway, outer: Gateway, log: Log
) -> None:
    grant = add(chain, 443)
    inner.port_for = lambda _: 40002
    log.clear()
    add(chain, 443, grant.token)
    assert outer.table == {(TCP, 443): (INNER_OUTSIDE, 40002)}
    assert [call[:2] for call in log] == [("add", INNER), ("delete", OUTER), ("add", OUTER)]


def test_where_the_inner_address_changes_the_loop_is_told_and_the_outer_mapping_is_moved(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    alerts: list[str] = []
    chain.watch(alerts.append)
    chain.external_ip()
    grant = add(chain, 443)
    inner.address = IPv4Address("10.0.1.9")
    chain.external_ip()
    assert alerts == [f"the outer address of gateway {INNER} changed: 10.0.1.2 -> 10.0.1.9"]
    add(chain, 443, grant.token)
    assert outer.table == {(TCP, 443): (IPv4Address("10.0.1.9"), 8080)}


def test_another_address_of_the_outermost_gateway_is_the_loops_affair(chain: ChainNat, outer: Gateway) -> None:
    alerts: list[str] = []
    chain.watch(alerts.append)
    chain.external_ip()
    outer.address = IPv4Address("5.6.7.8")
    assert chain.external_ip() == IPv4Address("5.6.7.8")
    assert not alerts


def test_after_an_alert_of_the_inner_gateway_its_address_is_asked_for_again(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    alerts: list[str] = []
    chain.watch(alerts.append)
    grant = add(chain, 443)
    inner.address = IPv4Address("10.0.1.9")
    inner.alerts[0]("restarted")
    assert alerts == ["restarted"]
    add(chain, 443, grant.token)
    assert outer.table == {(TCP, 443): (IPv4Address("10.0.1.9"), 8080)}


# Deletion


def test_a_port_is_shut_from_the_outside_in(chain: ChainNat, inner: Gateway, outer: Gateway, log: Log) -> None:
    grant = add(chain, 443)
    log.clear()
    delete(chain, grant)
    assert log == [
        ("delete", OUTER, 443, 8080, INNER_OUTSIDE, f"{OUTER}:443"),
        ("delete", INNER, 8080, 8080, None, f"{INNER}:8080"),
    ]
    assert not inner.table | outer.table


def test_a_silent_outer_gateway_keeps_no_inner_port_open(chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    grant = add(chain)
    outer.errors["delete_mapping"] = GatewayTimeout("silent")
    with pytest.raises(GatewayTimeout, match=r"^hop 2 of 2, gateway 10\.0\.1\.1: silent$"):
        delete(chain, grant)
    assert not inner.table


def test_a_mapping_of_an_earlier_life_is_deleted_by_its_token(chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    grant = add(chain, 443)
    delete(chain_of(inner, outer), grant)
    assert not inner.table | outer.table


def test_a_mapping_of_an_earlier_life_is_taken_over_and_moved(chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    grant = add(chain, 443)
    inner.address = IPv4Address("10.0.1.9")
    later = chain_of(inner, outer)
    later.external_ip()
    add(later, 443, grant.token)
    assert outer.table == {(TCP, 443): (IPv4Address("10.0.1.9"), 8080)}


@pytest.mark.parametrize(
    "token", ["", "x", "[]", "[[]]", "null", "[1,2]", '[["",1,2,""]]', '[["x",1,2,""],["",1,2,""]]']
)
def test_where_nothing_is_known_only_the_innermost_gateway_is_asked_to_delete(
    token: str, chain: ChainNat, log: Log
) -> None:
    chain.delete_mapping(TCP, 443, 8080, token=token)
    assert log == [("delete", INNER, 443, 8080, None, "")]


def test_after_a_deletion_the_token_of_what_is_gone_means_nothing(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    grant = add(chain)
    delete(chain, grant)
    outer.errors["add_mapping"] = Refused("no")
    with pytest.raises(Refused):
        add(chain, 443, grant.token)
    assert not inner.table


def test_a_stale_outer_mapping_that_may_not_be_deleted_is_left_to_its_lease(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    grant = add(chain)
    inner.address = IPv4Address("10.0.1.9")
    chain.external_ip()
    outer.errors["delete_mapping"] = Refused("only the host itself may")
    delete(chain, grant)
    assert not inner.table


# Failures


@pytest.mark.parametrize("error", [Refused("no"), OutOfResources("full"), Conflict("taken")])
def test_what_an_outer_gateway_refuses_is_taken_back_at_the_inner_one(
    error: Refused, chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    outer.errors["add_mapping"] = error
    with pytest.raises(type(error), match=f"^hop 2 of 2, gateway 10.0.1.1: {error}$"):
        add(chain)
    assert not inner.table


def test_a_renewal_that_an_outer_gateway_refuses_leaves_the_inner_port_open(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    grant = add(chain)
    outer.errors["add_mapping"] = Refused("not now")
    with pytest.raises(Refused):
        add(chain, token=grant.token)
    assert inner.table
    assert outer.table


def test_where_the_outer_gateway_is_silent_the_inner_port_is_shut_and_the_outer_one_can_be_deleted(
    chain: ChainNat, inner: Gateway, outer: Gateway, log: Log
) -> None:
    outer.errors["add_mapping"] = GatewayTimeout("silent")
    with pytest.raises(GatewayTimeout):
        add(chain, 443)
    assert not inner.table
    del outer.errors["add_mapping"]
    log.clear()
    chain.delete_mapping(TCP, 443, 8080)
    assert [call[:4] for call in log] == [("delete", OUTER, 443, 8080)]


def test_a_stop_while_the_outer_gateway_hangs_leaves_nothing_at_the_inner_one(
    inner: Gateway, outer: Gateway, eventually: Callable[[Callable[[], object]], None]
) -> None:
    chain, released = chain_of(inner, outer), threading.Event()
    close = chain.watch(lambda _: None)
    outer.hangs_until = released
    refusals: list[Refused] = []

    def ask() -> None:
        try:
            add(chain)
        except Refused as error:
            refusals.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    eventually(lambda: any(entry[:2] == ("add", outer.name) for entry in outer.log))
    close()
    assert not inner.table
    released.set()
    asking.join()
    assert "the session had ended" in str(refusals[0])
    assert not outer.table


@pytest.mark.parametrize("hook", ["external_ip", "add_mapping"])
def test_a_failure_says_at_which_hop(hook: str, chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    calls: dict[str, Callable[[], object]] = {"external_ip": chain.external_ip, "add_mapping": lambda: add(chain)}
    inner.errors[hook] = NoGateway("gone")
    with pytest.raises(NoGateway, match=r"^hop 1 of 2, gateway 10\.0\.0\.1: gone$"):
        calls[hook]()
    inner.errors.clear()
    outer.errors[hook] = GatewayTimeout("gateway 10.0.1.1 is silent")  # it names itself
    with pytest.raises(GatewayTimeout, match=r"^hop 2 of 2: gateway 10\.0\.1\.1 is silent$"):
        calls[hook]()


def test_a_fault_of_a_plugin_says_at_which_hop(chain: ChainNat, outer: Gateway) -> None:
    outer.errors["add_mapping"] = ValueError("oops")
    with pytest.raises(PluginError, match=r"hop 2 of 2.*ValueError: oops"):
        add(chain)


def test_an_inner_address_that_cannot_be_had_is_the_inner_gateways_failure(chain: ChainNat, inner: Gateway) -> None:
    inner.errors["external_ip"] = Refused("no address")
    with pytest.raises(Refused, match=r"^hop 1 of 2, gateway 10\.0\.0\.1: no address$"):
        add(chain)
    assert not inner.table


def test_a_backend_that_maps_for_this_host_only_cannot_be_an_outer_hop(inner: Gateway) -> None:
    with pytest.raises(SpecError, match="the scripted gateway opens ports for this host only, so it cannot be beyond"):
        chain_of(inner, ScriptedBackend())


def test_a_backend_that_maps_for_this_host_only_can_be_the_innermost_hop(outer: Gateway) -> None:
    assert add(chain_of(ScriptedBackend(), outer)).external_port == 8080


def test_the_same_gateway_twice_is_no_chain(inner: Gateway, log: Log) -> None:
    chain = chain_of(inner, Gateway(INNER, PUBLIC, log))
    with pytest.raises(NoGateway, match=r"^hop 2 of 2: gateway 10\.0\.0\.1 is hop 1 as well: name the one"):
        chain.external_ip()
    with pytest.raises(NoGateway):
        add(chain)
    assert not inner.table


def test_what_opens_no_ports_is_no_hop(inner: Gateway) -> None:
    class OnlyLearns(ScriptedBackend):
        opens_ports = False

    class Firewall(ScriptedBackend):
        ipv6 = True

    for backend in (NoNat(), OnlyLearns(), Firewall()):
        with pytest.raises(SpecError):
            chain_of(inner, backend)


# Looking


@pytest.mark.parametrize(
    ("inside", "outside", "answer"),
    [(True, True, True), (False, True, False), (None, False, False), (True, None, None), (None, None, None)],
)
def test_a_mapping_is_there_where_every_hop_lists_it(
    inside: bool | None, outside: bool | None, answer: bool | None, chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    grant = add(chain)
    inner.lists, outer.lists = inside, outside
    assert chain.has_mapping(TCP, 8080, 8080, token=grant.token) is answer


def test_an_outer_mapping_that_leads_to_an_old_address_is_not_there(chain: ChainNat, inner: Gateway) -> None:
    grant = add(chain)
    inner.address = IPv4Address("10.0.1.9")
    chain.external_ip()
    assert chain.has_mapping(TCP, 8080, 8080, token=grant.token) is False


def test_of_what_was_never_opened_nothing_can_be_told(chain: ChainNat) -> None:
    assert chain.has_mapping(TCP, 8080, 8080) is None


def test_hints_and_evidence_are_those_of_all_hops(chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    chain.external_ip()
    chain.take_hint(chain.hint())
    assert (inner.hints, outer.hints) == ([f"hint of {INNER}"], [f"hint of {OUTER}"])
    assert chain.evidence() == (
        f"hop 1: gateway {INNER}, outer address {INNER_OUTSIDE}",
        f"hop 1: {INNER} answered",
        f"hop 2: gateway {OUTER}, outer address {PUBLIC}",
        f"hop 2: {OUTER} answered",
    )
    assert str(chain) == f"gateway {INNER}, beyond it gateway {OUTER}"


@pytest.mark.parametrize("hint", ["", "x", "[]", '["a"]', "[1,2]", "{}", "[" * 5000])
def test_a_hint_of_something_else_is_not_taken(hint: str, chain: ChainNat, inner: Gateway) -> None:
    chain.take_hint(hint)
    assert not inner.hints


# In the loop


class Recorder:
    """A listener that keeps the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_settled(self) -> None:
        pass


def run(chain: Nat, *story: tuple[float, Message], end: float) -> Recorder:
    """The real loop over the chain, on scripted time."""
    told = Recorder()
    Loop(chain, ScriptedInbox(story, end=end), told, random=lambda: 0.0).run()
    return told


WEB = PortRequest(TCP, 8080, 443)


def test_the_loop_tells_the_outermost_address_and_port_and_leaves_nothing(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    inner.port_for = lambda _: 40001
    told = run(chain, (0, Register(WEB)), end=5)
    (added,) = [event for event in told.events if isinstance(event, PortAdded)]
    assert (added.external_ip, added.external_port, added.internal_port) == (PUBLIC, 443, 8080)
    assert not inner.table | outer.table


def test_tcp_and_udp_together_have_one_outermost_port(chain: ChainNat, inner: Gateway, outer: Gateway) -> None:
    ports = iter([40001, 40002, 40003, 40004])
    inner.port_for = lambda _: next(ports)
    both = [PortRequest(protocol, 8080, paired=True) for protocol in Protocol]
    told = run(chain, *((0, Register(it)) for it in both), end=5)
    assert {event.external_port for event in told.events if isinstance(event, PortAdded)} == {8080}


def test_a_port_that_follows_is_the_same_outside_and_inside(chain: ChainNat, outer: Gateway) -> None:
    outer.port_for = lambda port: port if port != 8080 else 9090
    told = run(chain, (0, Register(PortRequest(TCP, 8080, follow=True))), end=5)
    last = [event for event in told.events if isinstance(event, PortAdded | PortChanged)][-1]
    assert last.external_port == 9090


@pytest.mark.parametrize("which", ["inner", "outer"])
def test_a_gateway_that_lost_its_table_is_given_its_mapping_again(
    which: str, chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    gateway = {"inner": inner, "outer": outer}[which]
    inbox = ScriptedInbox([(0, Register(WEB))], end=200)
    gateway.reboots = (inbox, 10)
    Loop(chain, inbox, Recorder(), random=lambda: 0.0).run()
    assert gateway.seen == ["open", "lost", "open"]


def test_a_renewal_that_is_refused_until_the_end_leaves_nothing_at_the_inner_gateway(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    inbox = ScriptedInbox([(0, Register(WEB))], end=2000)
    outer.refuses_from = (inbox, 100)
    Loop(chain, inbox, Recorder(), random=lambda: 0.0).run()
    assert (TCP, 443) in outer.table  # it refuses deletions as well
    assert not inner.table


def test_a_silent_outer_gateway_leaves_nothing_at_the_inner_one_of_many_ports(
    chain: ChainNat, inner: Gateway, outer: Gateway
) -> None:
    inbox = ScriptedInbox([(0, Register(PortRequest(TCP, port))) for port in range(8080, 8090)], end=100)
    outer.refuses_from = (inbox, 99)
    outer.refusal = GatewayTimeout("silent")
    Loop(chain, inbox, Recorder(), random=lambda: 0.0).run()
    assert not inner.table
