"""The backend `any`: what is remembered over a restart, lists, and the loop with it."""

import sys
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest
from tests.backends.scripted_gateways import WEB, A, B, Gateway, add, holders

from portmap.backends.any import candidates, race_round
from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import Candidate, listed_ipv6_candidates
from portmap.backends.any.race import Race
from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NoGateway, Refused, SpecError
from portmap.hookspecs import BACKENDS, hookimpl
from portmap.loading.catalog import Catalogue
from portmap.loop.inbox import Register
from portmap.model import Grant, Kind
from portmap.syntax.plugin_specs import without_arguments
from portmap.testing.scripted import ScriptedBackend, play

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
        ("pmp,upnp:1.2.3.4", "no address of a gateway"),
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
    monkeypatch.setattr(candidates, "global_ipv6_address", lambda _: None)
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
