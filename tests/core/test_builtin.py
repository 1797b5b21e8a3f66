"""The backends that need no gateway of their own: none and any."""

import time
from collections.abc import Callable

import pytest

from portmap.builtin import AnyGateway, NoNat
from portmap.errors import Conflict, Garbled, GatewayTimeout, NoGateway, PluginError, Refused
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.inbox import Register
from portmap.model import Grant, Kind, PortRequest, Protocol
from portmap.nat import Nat
from portmap.race import Race
from portmap.testing.scripted import ScriptedBackend, play

TCP = Protocol.TCP
WEB = PortRequest(TCP, 80)
A, B = "1.1.1.1", "2.2.2.2"


class Gateway(ScriptedBackend):
    """A scripted gateway with a name and an address, slower or faster, that fails on command."""

    def __init__(self, address: str, delay: float = 0.0) -> None:
        super().__init__()
        self.moves(0, address)
        self.address, self.delay = address, delay
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
        time.sleep(self.delay)
        if hook in self.errors:
            raise self.errors[hook]


@pytest.fixture
def a() -> Gateway:
    """Wins the first heat."""
    return Gateway(A)


@pytest.fixture
def b() -> Gateway:
    """Answers, too, but a little later."""
    return Gateway(B, delay=0.02)


@pytest.fixture
def any_gateway(a: Gateway, b: Gateway) -> AnyGateway:
    return AnyGateway(Race(lambda: [Nat(a, "a"), Nat(b, "b")]))


def add(backend: AnyGateway) -> Grant:
    return backend.add_mapping(TCP, 0, 80, "web", 600)


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


def test_the_first_to_answer_is_the_gateway(any_gateway: AnyGateway) -> None:
    assert (str(any_gateway), str(any_gateway.external_ip()), str(any_gateway)) == ("any", A, f"gateway {A}")


def test_the_winner_is_asked_alone_from_then_on(any_gateway: AnyGateway, b: Gateway) -> None:
    for _ in range(3):
        any_gateway.external_ip()
    assert b.asked("external_ip") == 1


def test_the_winner_maps(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    any_gateway.external_ip()
    add(any_gateway)
    assert holders(a, b) == [A]


def test_a_mapping_that_is_asked_for_first_finds_the_gateway_too(any_gateway: AnyGateway, a: Gateway) -> None:
    assert add(any_gateway) == Grant(80, 600)
    assert holders(a) == [A]


def test_a_winner_without_an_uplink_stays_the_gateway(any_gateway: AnyGateway, a: Gateway) -> None:
    any_gateway.external_ip()
    a.now(Refused("no uplink"), "external_ip")
    with pytest.raises(Refused, match="no uplink"):
        any_gateway.external_ip()
    assert str(any_gateway) == f"gateway {A}"


# what any makes of refusals


@pytest.mark.parametrize("error", [Conflict("taken"), PluginError("broken"), ValueError("oops")])
def test_where_the_winner_would_not_the_runner_up_maps(
    any_gateway: AnyGateway, a: Gateway, b: Gateway, error: Exception
) -> None:
    a.now(error, "add_mapping")
    any_gateway.external_ip()
    add(any_gateway)
    assert holders(a, b) == [B]


def test_who_made_the_mapping_renews_it(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken"), "add_mapping")
    add(any_gateway)
    a.now(None)
    add(any_gateway)
    assert (a.asked("add_mapping"), b.asked("add_mapping")) == (1, 2)


def test_where_all_refuse_the_winners_reason_is_told(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken at a"), "add_mapping")
    b.now(Refused("forbidden at b"), "add_mapping")
    with pytest.raises(Conflict, match="taken at a"):
        add(any_gateway)


def test_a_runner_up_that_has_gone_does_not_hide_the_winners_reason(
    any_gateway: AnyGateway, a: Gateway, b: Gateway
) -> None:
    a.now(Conflict("taken at a"), "add_mapping")
    b.now(GatewayTimeout("gone"), "add_mapping")
    with pytest.raises(Conflict, match="taken at a"):
        add(any_gateway)


def test_a_refusal_is_not_remembered(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken"), "add_mapping")
    b.now(Conflict("taken"), "add_mapping")
    with pytest.raises(Conflict):
        add(any_gateway)
    a.now(None)
    add(any_gateway)
    assert holders(a, b) == [A]


# what any makes of silence


def test_a_winner_that_falls_silent_is_raced_for_anew(any_gateway: AnyGateway, a: Gateway) -> None:
    any_gateway.external_ip()
    a.now(GatewayTimeout("silence"))
    assert str(any_gateway.external_ip()) == B


def test_a_mapping_moves_to_the_new_winner(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    add(any_gateway)
    a.now(GatewayTimeout("silence"))
    any_gateway.external_ip()
    add(any_gateway)
    assert holders(b) == [B]


def test_a_mapping_moves_back_when_the_runner_up_that_made_it_has_gone(
    any_gateway: AnyGateway, a: Gateway, b: Gateway
) -> None:
    a.now(Conflict("taken"), "add_mapping")
    add(any_gateway)
    a.now(None)
    b.now(NoGateway("gone"))
    add(any_gateway)
    assert holders(a) == [A]


def test_a_winners_silence_is_told_so_that_the_loop_looks_again(any_gateway: AnyGateway, a: Gateway) -> None:
    any_gateway.external_ip()
    a.now(GatewayTimeout("silence"), "add_mapping")
    with pytest.raises(GatewayTimeout, match="silence"):
        add(any_gateway)


def test_where_nobody_answers_each_is_named_with_its_reason(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    a.now(NoGateway("no reply"))
    b.now(GatewayTimeout("silence"))
    with pytest.raises(NoGateway, match=rf"gateway {A}: no reply; gateway {B}: silence"):
        any_gateway.external_ip()


def test_that_nobody_answered_is_not_remembered(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    a.now(NoGateway("not yet"))
    b.now(NoGateway("not yet"))
    with pytest.raises(NoGateway):
        any_gateway.external_ip()
    b.now(None)
    assert str(any_gateway.external_ip()) == B


# letting go through any


def test_who_made_the_mapping_deletes_it(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    a.now(Conflict("taken"), "add_mapping")
    add(any_gateway)
    any_gateway.delete_mapping(TCP, 80, 80)
    assert (a.asked("delete_mapping"), b.asked("delete_mapping")) == (0, 1)


def test_who_mapped_and_answered_nonsense_deletes_it_too(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    a.fails(0, 1, lambda: Garbled("port 0"), "the answer")
    add(any_gateway)
    assert holders(a, b) == [A, B]
    any_gateway.delete_mapping(TCP, 80, 80)
    assert holders(a, b) == []


def test_who_answered_nonsense_and_has_gone_does_not_hinder_the_deleting(
    any_gateway: AnyGateway, a: Gateway, b: Gateway
) -> None:
    a.now(Garbled("port 0"), "add_mapping")
    add(any_gateway)
    a.now(NoGateway("gone"))
    any_gateway.delete_mapping(TCP, 80, 80)
    assert holders(a, b) == []


def test_a_mapping_that_nobody_is_known_to_have_made_is_the_winners(any_gateway: AnyGateway, a: Gateway) -> None:
    any_gateway.external_ip()
    any_gateway.delete_mapping(TCP, 80, 80)
    assert a.asked("delete_mapping") == 1


def test_where_no_gateway_was_found_nothing_is_deleted(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    any_gateway.delete_mapping(TCP, 80, 80)
    assert (a.calls, b.calls) == ([], [])


# alerts through any


def test_only_the_gateway_in_use_is_listened_to(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
    told: list[str] = []
    any_gateway.watch(told.append)
    any_gateway.external_ip()
    a.forget("reboot of a")
    b.forget("reboot of b")
    assert told == ["reboot of a"]


def test_who_holds_a_mapping_is_listened_to_too(any_gateway: AnyGateway, a: Gateway, b: Gateway) -> None:
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
    backend = AnyGateway(Race(lambda: [Nat(Blind(A), "blind"), Nat(seeing, "seeing")]))
    close = backend.watch(told.append)
    seeing.alert("reboot")
    assert told == ["reboot"]  # nobody has won yet: everybody's word counts
    close()


# the loop with any


class Script(ScriptedBackend):
    """`any` behind the loop's scripted clock: it hears what the loop asks, and asks the real one."""

    def __init__(self, backend: AnyGateway, scenes: dict[float, Callable[[], None]]) -> None:
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
    any_gateway: AnyGateway, a: Gateway, b: Gateway
) -> None:
    script = Script(any_gateway, {100.0: lambda: a.now(GatewayTimeout("silence"))})
    told = play(script, [(0, Register(WEB))], end=1000)
    assert "mapping.lost" not in told.names()
    assert holders(b) == [B]


def test_a_broken_runner_harms_nobody(b: Gateway) -> None:
    broken = Gateway(A)
    broken.now(SystemExit("oops"))  # type: ignore[arg-type]  # strangers do that
    backend = AnyGateway(Race(lambda: [Nat(broken, "broken"), Nat(b, "b")]))
    assert str(backend.external_ip()) == B
