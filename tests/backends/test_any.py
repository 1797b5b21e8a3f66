"""The backends that need no gateway of their own: none and any."""

import sys
import threading
import time
import types
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import EntryPoint
from ipaddress import IPv4Address

import pytest
from tests.backends.test_race import Loading
from tests.stopwatch import Stopwatch

from portmap.backends.any import candidates, race_round
from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import Candidate, listed_ipv6_candidates
from portmap.backends.any.race import Race
from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.backends.none import NoNat
from portmap.errors import Conflict, Garbled, GatewayTimeout, NoGateway, PluginError, Refused, SpecError
from portmap.hookspecs import BACKENDS, Alert, Closer, hookimpl
from portmap.loading.catalog import Catalogue
from portmap.loop.inbox import Register
from portmap.loop.policy import Policy
from portmap.model import Address, Grant, Kind, PortRequest, Protocol
from portmap.network import routes
from portmap.network.routes import own_public_address
from portmap.syntax.specs import without_arguments
from portmap.testing.scripted import ScriptedBackend, play

TCP = Protocol.TCP
WEB = PortRequest(TCP, 80)
NAME = "a"  # which backend made the mapping
A, B = "1.1.1.1", "2.2.2.2"


class Gateway(ScriptedBackend):
    """A scripted gateway with a name and an address, slower or faster, that fails on command.

    `after`: it does not answer before this one has, on a busy machine neither.
    """

    def __init__(self, address: str, delay: float = 0.0, after: "Gateway | None" = None) -> None:
        super().__init__()
        self.moves(0, address)
        self.address, self.delay, self.after = address, delay, after
        self.answered = threading.Event()
        self.errors: dict[str, Exception] = {}

    def __str__(self) -> str:
        return f"gateway {self.address}"

    def now(self, error: Exception | None, *hooks: str) -> None:
        """From now on these hooks, or all, raise this; None: they work."""
        for hook in hooks or ("external_ip", "add_mapping", "delete_mapping"):
            self.errors.pop(hook, None)
            if error is not None:
                self.errors[hook] = error

    def asked(self, hook: str) -> int:
        """How often a hook was called."""
        return [call.hook for call in self.calls].count(hook)

    def _hear(self, hook: str, *arguments: object) -> None:
        super()._hear(hook, *arguments)
        if self.after is not None:
            self.after.answered.wait(1)
        time.sleep(self.delay)
        self.answered.set()
        if hook in self.errors:
            raise self.errors[hook]


@pytest.fixture
def a() -> Gateway:
    """Wins the first round."""
    return Gateway(A)


@pytest.fixture
def b(a: Gateway) -> Gateway:
    """Answers, too, but a little later."""
    return Gateway(B, delay=0.02, after=a)


@pytest.fixture
def any_gateway(a: Gateway, b: Gateway) -> AnyBackend:
    return AnyBackend(Race(lambda: [Nat(a, "a"), Nat(b, "b")]))


def add(backend: AnyBackend, token: str = "") -> Grant:
    return backend.add_mapping(TCP, 0, 80, "web", 600, token, exact=False, client=None)


def holders(*gateways: Gateway) -> list[str]:
    """Who has the mapping in its table."""
    return [gateway.address for gateway in gateways if WEB.key in gateway.table]


# none


def test_none_takes_no_nat_and_no_argument() -> None:
    assert (NoNat.kind, str(NoNat.from_argument(None))) == (Kind.NONE, "no NAT")


def test_none_asked_in_earnest_says_what_to_do() -> None:
    with pytest.raises(NoGateway, match="choose a backend with --nat"):
        Nat(NoNat(), "none").external_ip()


def test_none_has_nothing_to_delete() -> None:
    Nat(NoNat(), "none").delete_mapping(TCP, 80, 80)


# who is asked by any


def test_the_first_to_answer_is_the_gateway(any_gateway: AnyBackend) -> None:
    assert (str(any_gateway), str(any_gateway.external_ip()), str(any_gateway)) == ("any", A, f"gateway {A}")


def test_the_winner_is_asked_alone_from_then_on(any_gateway: AnyBackend, b: Gateway) -> None:
    for _ in range(3):
        any_gateway.external_ip()
    assert b.asked("external_ip") == 1


def test_the_winner_maps(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    any_gateway.external_ip()
    add(any_gateway)
    assert holders(a, b) == [A]


def test_a_mapping_that_is_asked_for_first_finds_the_gateway_too(any_gateway: AnyBackend, a: Gateway) -> None:
    assert add(any_gateway) == replace(Grant(80, 600), token=NAME)
    assert holders(a) == [A]


def test_a_winner_without_an_uplink_stays_the_gateway(any_gateway: AnyBackend, a: Gateway) -> None:
    any_gateway.external_ip()
    a.now(Refused("no uplink"), "external_ip")
    with pytest.raises(Refused, match="no uplink"):
        any_gateway.external_ip()
    assert str(any_gateway) == f"gateway {A}"


# what any makes of refusals


@pytest.mark.parametrize("error", [Conflict("taken"), PluginError("broken"), ValueError("oops")])
def test_where_the_winner_would_not_the_runner_up_maps(
    any_gateway: AnyBackend, a: Gateway, b: Gateway, error: Exception
) -> None:
    a.now(error, "add_mapping")
    any_gateway.external_ip()
    add(any_gateway)
    assert holders(a, b) == [B]


def test_a_mapping_is_renewed_by_the_backend_that_made_it(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken"), "add_mapping")
    add(any_gateway)
    a.now(None)
    add(any_gateway)
    assert (a.asked("add_mapping"), b.asked("add_mapping")) == (1, 2)


def test_where_all_refuse_the_winners_reason_is_told(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken at a"), "add_mapping")
    b.now(Refused("forbidden at b"), "add_mapping")
    with pytest.raises(Conflict, match="taken at a"):
        add(any_gateway)


def test_a_runner_up_that_has_gone_does_not_hide_the_winners_reason(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    a.now(Conflict("taken at a"), "add_mapping")
    b.now(GatewayTimeout("gone"), "add_mapping")
    with pytest.raises(Conflict, match="taken at a"):
        add(any_gateway)


def test_a_refusal_is_not_remembered(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken"), "add_mapping")
    b.now(Conflict("taken"), "add_mapping")
    with pytest.raises(Conflict):
        add(any_gateway)
    a.now(None)
    add(any_gateway)
    assert holders(a, b) == [A]


# what any makes of gateways that state no address


@pytest.fixture
def addressless(any_gateway: AnyBackend, a: Gateway, b: Gateway) -> AnyBackend:
    """Both gateways answer, and say that they have no address."""
    a.now(Refused("a has no address"), "external_ip")
    b.now(Refused("b has no address"), "external_ip")
    return any_gateway


def test_a_gateway_without_an_address_maps_all_the_same(addressless: AnyBackend, a: Gateway, b: Gateway) -> None:
    with pytest.raises(Refused, match="has no address"):
        addressless.external_ip()
    add(addressless)
    assert holders(a, b) == [A]
    addressless.delete_mapping(TCP, 80, 80, "", client=None)
    assert holders(a, b) == []


def test_of_several_gateways_without_an_address_the_next_maps_where_one_would_not(
    addressless: AnyBackend, a: Gateway, b: Gateway
) -> None:
    a.now(Refused("a maps nothing"), "add_mapping")
    add(addressless)
    assert holders(a, b) == [B]


def test_a_gateway_without_an_address_renews_what_it_mapped_without_another_race(
    addressless: AnyBackend, a: Gateway
) -> None:
    add(addressless)
    raced = a.asked("external_ip")
    add(addressless)
    assert (a.asked("external_ip"), a.asked("add_mapping")) == (raced, 2)


def test_a_gateway_without_an_address_that_falls_silent_is_told_as_silent(
    addressless: AnyBackend, a: Gateway, b: Gateway
) -> None:
    for gateway in (a, b):
        gateway.now(GatewayTimeout(f"{gateway.address} is silent"), "add_mapping")
    with pytest.raises(GatewayTimeout, match="is silent"):
        add(addressless)


def test_a_gateway_with_an_address_is_taken_as_soon_as_there_is_one(addressless: AnyBackend, b: Gateway) -> None:
    add(addressless)
    b.now(None)
    assert str(addressless.external_ip()) == B


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


# where there is no NAT


OURS = IPv4Address("11.22.33.4")


@pytest.mark.parametrize(
    ("ours", "public"), [("11.22.33.4", OURS), ("192.168.1.2", None), ("100.64.1.2", None), ("127.0.0.1", None)]
)
def test_our_own_address_counts_if_it_is_public(
    ours: str, public: IPv4Address | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "local_address_to", lambda _: IPv4Address(ours))
    assert own_public_address() == public


def test_without_a_network_we_have_no_public_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_route(_: IPv4Address) -> IPv4Address:
        raise NoGateway("no route")

    monkeypatch.setattr(routes, "local_address_to", no_route)
    assert own_public_address() is None


class Ourselves:
    """Our own address: public, until we are behind a NAT."""

    def __init__(self) -> None:
        self.address: IPv4Address | None = OURS

    def __call__(self) -> IPv4Address | None:
        return self.address


@pytest.fixture
def ourselves() -> Ourselves:
    return Ourselves()


@pytest.fixture
def public(a: Gateway, ourselves: Ourselves) -> AnyBackend:
    return AnyBackend(Race(lambda: [Nat(a, "a")]), ourselves)


def test_a_host_with_a_public_address_is_told_so_and_no_backend_is_asked(public: AnyBackend, a: Gateway) -> None:
    assert public.external_ip() == OURS
    assert str(public) == "no NAT: our own address 11.22.33.4 is public"
    assert public.evidence() == ("our own address 11.22.33.4 is public: no gateway was asked",)
    assert a.calls == []


def test_where_there_is_no_nat_the_internal_port_is_open_as_it_stands(public: AnyBackend, a: Gateway) -> None:
    assert public.add_mapping(TCP, 443, 80, "web", 600, "", exact=False, client=None) == Grant(80, 0, static=True)
    public.delete_mapping(TCP, 80, 80, "", client=None)
    assert a.calls == []


def test_without_an_internal_port_the_suggested_port_is_open(public: AnyBackend) -> None:
    assert public.add_mapping(TCP, 443, 0, "web", 600, "", exact=False, client=None) == Grant(443, 0, static=True)
    with pytest.raises(Refused, match="name the one"):
        public.add_mapping(TCP, 0, 0, "web", 600, "", exact=False, client=None)


def test_a_host_that_has_moved_behind_a_nat_races(public: AnyBackend, a: Gateway, ourselves: Ourselves) -> None:
    public.external_ip()
    ourselves.address = None
    assert (str(public.external_ip()), str(public)) == (A, f"gateway {A}")
    assert add(public) == replace(Grant(80, 600), token=NAME)


def test_a_host_that_has_left_its_nat_does_not_hold_on_to_its_gateway(
    public: AnyBackend, a: Gateway, ourselves: Ourselves
) -> None:
    ourselves.address = None
    add(public)
    ourselves.address = OURS
    assert add(public).static
    public.delete_mapping(TCP, 80, 80, "", client=None)
    assert a.asked("delete_mapping") == 0


def test_any_looks_at_our_own_address_and_a_list_never_does() -> None:
    assert AnyBackend.from_argument(None)._own_address is own_public_address
    assert AnyBackend.from_argument("pmp,upnp")._own_address() is None


# mappings to other hosts


NEIGHBOUR = IPv4Address("192.168.1.50")


class MapsForOthers(Gateway):
    """One that takes the client of a mapping."""

    def __init__(self, address: str, delay: float = 0.0) -> None:
        super().__init__(address, delay)
        self.clients: list[Address | None] = []

    @hookimpl
    def add_mapping(self, internal_port: int, client: Address | None) -> Grant:  # type: ignore[override]  # a hook takes what it needs
        self.clients.append(client)
        return Grant(internal_port, 600)

    @hookimpl
    def delete_mapping(self, client: Address | None) -> None:  # type: ignore[override]  # as above
        self.clients.append(client)


def test_for_another_host_a_backend_is_asked_that_can_map_for_it(a: Gateway) -> None:
    able = MapsForOthers(B, delay=0.02)
    backend = AnyBackend(Race(lambda: [Nat(a, "a"), Nat(able, "b")]))
    backend.external_ip()
    grant = backend.add_mapping(TCP, 0, 80, "web", 600, "", exact=False, client=NEIGHBOUR)
    backend.delete_mapping(TCP, 80, 80, grant.token, client=NEIGHBOUR)
    assert able.clients == [NEIGHBOUR, NEIGHBOUR]
    assert not a.asked("add_mapping")


def test_where_no_backend_can_map_for_another_host_it_is_refused(any_gateway: AnyBackend) -> None:
    with pytest.raises(Refused, match="for this host only, not for 192"):
        any_gateway.add_mapping(TCP, 0, 80, "web", 600, "", exact=False, client=NEIGHBOUR)


def test_a_host_with_a_public_address_maps_to_no_other() -> None:
    backend = AnyBackend(Race(list), own_address=lambda: IPv4Address(A))
    with pytest.raises(Refused, match="no gateway was asked to map to 192"):
        backend.add_mapping(TCP, 0, 80, "web", 600, "", exact=False, client=NEIGHBOUR)


# what is remembered over a restart


NONCE = "nonce of mine"


class Remembering(Gateway):
    """One that has something to say about itself, and tokens."""

    @hookimpl
    def hint(self) -> str:
        return f"at {self.address}"

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        return (f"{self.address} is a {type(self).__name__}",)

    @hookimpl
    def add_mapping(self, token: str) -> Grant:  # type: ignore[override]  # a hook takes what it needs
        self._hear("add_mapping", token)
        return Grant(80, 600, token=NONCE)


def remembering(*gateways: Gateway) -> AnyBackend:
    return AnyBackend(Race(lambda: [Candidate.of(Nat(it, it.address), name=f"acme:{it.address}") for it in gateways]))


def test_before_anybody_has_won_there_is_nothing_to_remember(a: Gateway) -> None:
    assert remembering(a).hint() == ""


def test_the_winner_and_its_hint_are_remembered() -> None:
    backend = remembering(Remembering(A))
    backend.external_ip()
    assert backend.hint() == f"acme:{A} at {A}"


def test_a_winner_without_a_hint_is_remembered_by_its_name(a: Gateway) -> None:
    backend = remembering(a)
    backend.external_ip()
    assert backend.hint() == f"acme:{A}"


def test_the_winner_of_an_earlier_session_is_preferred(a: Gateway, b: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race_round, "GRACE", 5.0)
    backend = remembering(a, b)
    backend.take_hint(f"acme:{B}")
    assert str(backend.external_ip()) == B


@pytest.mark.parametrize("hint", ["", " ", "unknown", "acme:", f"acme:{A}0", "x" * 1000, "\x00"])
def test_a_hint_that_makes_no_sense_changes_nothing(hint: str, a: Gateway, b: Gateway) -> None:
    backend = remembering(a, b)
    backend.take_hint(hint)
    assert str(backend.external_ip()) == A


def test_the_evidence_is_that_of_the_race_and_of_the_winner() -> None:
    backend = remembering(Remembering(A))
    backend.external_ip()
    raced, own = backend.evidence()
    assert raced.startswith(f"gateway {A} answered in ")
    assert own == f"{A} is a Remembering"


def test_a_token_goes_back_only_to_the_backend_that_gave_it() -> None:
    a, b = Remembering(A), Remembering(B)
    backend = remembering(a)
    granted = add(backend).token
    add(backend, granted)
    add(remembering(b), granted)
    assert [call.arguments for call in (*a.calls, *b.calls) if call.hook == "add_mapping"] == [
        ("",),
        (NONCE,),
        ("",),
    ]


def test_a_backend_that_refuses_is_named_as_the_gateway(a: Gateway) -> None:
    a.now(Refused("no uplink", code=3), "external_ip")
    backend = remembering(a)
    with pytest.raises(Refused, match="no uplink"):
        backend.external_ip()
    assert (str(backend), backend.evidence()) == (f"gateway {A}", (f"gateway {A}: no uplink",))


# lists


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pmp,upnpp", "unknown backend 'upnpp': did you mean 'upnp'?"),
        ("pmp,", "empty member"),
        ("pmp,,upnp", "empty member"),
        (",pmp,upnp", "empty member"),
        ("pmp, upnp", "white space around a comma"),
        ("pmp,none", "none has no place in the list"),
        ("pmp,extip:1.2.3.4", "extip:… has no place in the list"),
        ("pmp,any", "any has no place in the list"),
        ("pmp,natpmp", "names natpmp twice"),
        ("pmp,upnp:1.2.3.4", "must start with http://"),
        ("any:1.2.3.4", "any takes no argument but a list"),
        ("any:", "any takes no argument but a list"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_before_anything_is_sent(text: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["pmp,upnp", "any:pmp,upnp", "pmp:192.168.1.1,pmp:192.168.1.2", "protonvpn,pmp"])
def test_a_list_that_makes_sense_is_a_loop_backend_of_that_name(text: str) -> None:
    nat = load(text)
    assert (nat.kind, str(nat)) == (Kind.LOOP, without_arguments(text.removeprefix("any:")))


def test_an_ipv6_list_has_only_backends_that_know_ipv6() -> None:
    class Both(Gateway):
        @classmethod
        def from_argument(cls, argument: str | None) -> "Both":
            return cls(A)

        ipv6_from_argument = from_argument

    module = types.ModuleType("portmap_both")
    module.Both = Both  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    entries = [EntryPoint("both", "portmap_both:Both", BACKENDS), EntryPoint("pmp", "portmap_natpmp:NatPmp", BACKENDS)]
    runners = listed_ipv6_candidates("pmp,both", Catalogue(BACKENDS, entries), without=AnyBackend)
    del sys.modules[module.__name__]
    assert [runner.name for runner in runners] == ["both"]


def test_a_list_of_backends_without_ipv6_is_refused() -> None:
    with pytest.raises(SpecError, match="no IPv6 gateway in the list 'pmp,protonvpn'"):
        AnyBackend.ipv6_from_argument("pmp,protonvpn")


def test_on_a_host_without_ipv6_no_backend_is_loaded_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "global_ipv6_address", lambda: None)
    backend = AnyBackend.ipv6_from_argument(None)
    backend.watch(lambda _: None)()
    with pytest.raises(NoGateway, match="no global IPv6 address"):
        backend.external_ip()


# the loop with any


class Script(ScriptedBackend):
    """`any` behind the loop's scripted clock: it hears what the loop asks, and asks the real one."""

    def __init__(self, backend: AnyBackend, scenes: dict[float, Callable[[], None]]) -> None:
        super().__init__()
        self.backend, self.scenes = backend, scenes

    def _hear(self, hook: str, *arguments: object) -> None:
        for at in [at for at in self.scenes if at <= self.inbox.seconds]:
            self.scenes.pop(at)()
        if hook == "external_ip":
            self.backend.external_ip()
        elif hook == "add_mapping":
            add(self.backend)


def test_a_gateway_that_dies_is_replaced_and_the_mapping_is_held(
    any_gateway: AnyBackend, a: Gateway, b: Gateway
) -> None:
    script = Script(any_gateway, {100.0: lambda: a.now(GatewayTimeout("silence"))})
    told = play(script, [(0, Register(WEB))], end=1000)
    assert "mapping.lost" not in told.names()
    assert holders(b) == [B]


def test_a_broken_candidate_harms_no_other(b: Gateway) -> None:
    broken = Gateway(A)
    broken.now(SystemExit("oops"))  # type: ignore[arg-type]  # third parties do that
    backend = AnyBackend(Race(lambda: [Nat(broken, "broken"), Nat(b, "b")]))
    assert str(backend.external_ip()) == B
