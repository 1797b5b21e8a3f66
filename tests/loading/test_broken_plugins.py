"""A plugin that is merely installed, and broken in any way, harms nothing but itself."""

from ipaddress import IPv4Address

import pytest
from tests.conftest import Install
from tests.loading.acme import GOOD, GOOD_ENTRY, HANGING_ERROR, HANGS, UNREADABLE_ERROR, catalogue, odd_class, source
from tests.loading.conftest import InstallAcme
from tests.stopwatch import Stopwatch

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import installed_candidates
from portmap.backends.any.race import Race
from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, PluginError, PortmapError
from portmap.loading.catalog import Catalogue

pytestmark = pytest.mark.usefixtures("short_limit")
IN_TIME = 6.0  # seconds


ASYNC_HOOK = "@hookimpl\n    async def hint(self): return ''"


BROKEN = {
    "a preference that is a text": source(preference="'high'"),
    "a preference that is an object": source(preference="object()"),
    "a kind that is a text": source(more="kind = 'loop'"),
    "a kind that cannot be read": odd_class("kind", "KeyboardInterrupt"),
    "a constructor that cannot be read": odd_class("from_argument", "SystemExit"),
    "an attribute that cannot be read": source(more="@property\n    def opens_ports(self): raise KeyboardInterrupt"),
    "an attribute that hangs": source(more=f"@property\n    def ipv6(self): {HANGS}"),
    "a lifetime that is a text": source(more="default_lifetime = 'an hour'"),
    "mappings that are a text": source(more="default_mappings = '8080'"),
    "a hook that is async": source(more=ASYNC_HOOK),
    "an import that is interrupted": source(before="raise KeyboardInterrupt"),
    "an import that exits": source(before="raise SystemExit(3)"),
    "an import that ends a generator": source(before="raise GeneratorExit"),
    "an import that raises an error of ours": source(before="from portmap import SpecError\nraise SpecError('no')"),
    "an import that hangs": source(before=HANGS),
    "an import that raises what hangs": source(before=HANGING_ERROR + "raise Alien"),
    "an import that raises what cannot be read": source(before=UNREADABLE_ERROR + "raise Alien"),
    "an import that is nonsense": "class",
    "an import of nothing": "",
    "a constructor that is interrupted": source(construct="raise KeyboardInterrupt"),
    "a constructor that hangs": source(construct=HANGS),
    "a constructor that raises what hangs": source(before=HANGING_ERROR, construct="raise Alien"),
    "a constructor that makes nothing": source(construct="return None"),
}
"""What is refused when it is loaded."""

ODD = {
    "an attribute of its own that cannot be read": source(more="@property\n    def other(self): raise SystemExit"),
    "a preference that cannot be read": odd_class("preference"),
    "a race constructor that cannot be read": odd_class("race_from_argument"),
    "a text that raises": source(more="def __str__(self): raise KeyboardInterrupt"),
    "a text that is none": source(more="def __str__(self): return 5"),
    "an answer that is none": source(external_ip="return 'here'"),
    "an answer that cannot be shown": source(
        before="class Answer:\n    def __repr__(self): raise SystemExit", external_ip="return Answer()"
    ),
    "an interrupt": source(external_ip="raise KeyboardInterrupt"),
    "an error that cannot be read": source(before=UNREADABLE_ERROR, external_ip="raise Odd"),
    "an alien that cannot be read": source(before=UNREADABLE_ERROR, external_ip="raise Alien"),
    "a refusal with nonsense in it": source(external_ip="raise Refused('no', retry_after='soon')"),
}
"""What can be loaded, and then does something odd when it is asked."""

HANGING = {
    "a text that hangs later": source(
        more=f"asked = False\n    def __str__(self):\n        if self.asked: {HANGS}\n        return 'acme'",
        external_ip="self.asked = True",
    ),
    "an error whose text hangs": source(before=HANGING_ERROR, external_ip="raise Odd"),
    "an alien whose text hangs": source(before=HANGING_ERROR, external_ip="raise Alien"),
    "an answer whose text hangs": source(
        before=f"class Answer:\n    def __repr__(self): {HANGS}", external_ip="return Answer()"
    ),
}


def any_of(plugins: Catalogue) -> Nat:
    return Nat(AnyBackend(Race(lambda: installed_candidates(plugins, without=AnyBackend), timeout=1.0)), "any")


@pytest.mark.parametrize("broken", [*BROKEN.values(), *ODD.values(), *HANGING.values()], ids=[*BROKEN, *ODD, *HANGING])
def test_any_uses_the_good_ones(broken: str, install_acme: InstallAcme, install: Install) -> None:
    install("good-nat", GOOD_ENTRY, good_nat=GOOD)
    install_acme(broken)
    with Stopwatch() as watch:
        gateway = any_of(catalogue())
        assert gateway.external_ip() in (IPv4Address("9.9.9.9"), IPv4Address("1.2.3.4"))
        assert gateway.evidence()
    assert watch.seconds < IN_TIME


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_it_is_refused_when_it_is_named_and_the_message_names_it(broken: str, install_acme: InstallAcme) -> None:
    install_acme(broken)
    with Stopwatch() as watch:
        with pytest.raises(PluginError, match="acme") as caught:
            load("acme", catalogue())
        assert str(caught.value).isprintable()
    assert watch.seconds < IN_TIME


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_it_does_when_it_is_asked_is_an_error_of_ours_at_the_most(odd: str, install_acme: InstallAcme) -> None:
    install_acme(odd)
    nat = load("acme", catalogue())
    try:
        assert nat.external_ip() == IPv4Address("1.2.3.4")
    except PortmapError as error:
        assert str(error).isprintable()  # noqa: PT017  # either outcome is right
    assert str(nat)


@pytest.mark.parametrize("hanging", HANGING.values(), ids=HANGING)
def test_what_hangs_when_it_is_asked_is_a_timeout(hanging: str, install_acme: InstallAcme) -> None:
    install_acme(hanging)
    nat = load("acme", catalogue())
    with pytest.raises(GatewayTimeout):
        nat.external_ip(timeout=0.1)
    assert str(nat)


def test_a_text_that_hangs_at_once_is_refused(install_acme: InstallAcme) -> None:
    install_acme(source(more=f"def __str__(self): {HANGS}"))
    with pytest.raises(PluginError, match="did not come back"):
        load("acme", catalogue())


def test_an_async_hook_is_refused_with_the_reason(install_acme: InstallAcme) -> None:
    install_acme(BROKEN["a hook that is async"])
    with pytest.raises(PluginError, match=r"the hook hint is `async def`.*make it a plain `def`"):
        load("acme", catalogue())
