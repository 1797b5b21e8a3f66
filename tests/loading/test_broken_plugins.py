"""A plugin that is merely installed, and broken in any way, harms nothing but itself."""

import itertools
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Protocol

import pytest
from tests.stopwatch import Stopwatch

from portmap.backends.any.backend import AnyBackend
from portmap.backends.any.candidates import installed_candidates
from portmap.backends.any.race import Race
from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, PluginError, PortmapError, SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading import time_limit
from portmap.loading.catalog import Catalogue
from portmap.loading.distributions import MAX_NAMES, installed_entries
from portmap.loading.other_entries import MAX_TEXT
from portmap.syntax.plugin_specs import Spec

HANG = 9.0  # seconds that a hanging plugin hangs: no test waits for it
LIMIT = 0.3  # seconds in place of the limit for plugins
IN_TIME = 6.0  # seconds

PLUGIN = """
import time
from ipaddress import IPv4Address
from typing import ClassVar
from portmap import Grant, Kind, Refused, NoGateway, hookimpl

{before}

class {name}({bases}):
    kind = Kind.LOOP
    preference = {preference}
    @classmethod
    def from_argument(cls, argument):
        {construct}
        return cls()
    @hookimpl
    def external_ip(self):
        {external_ip}
        return IPv4Address("{address}")
    @hookimpl
    def add_mapping(self, internal_port):
        return Grant(internal_port, 600)
    @hookimpl
    def delete_mapping(self):
        pass
    {more}
"""
DEFAULTS = {
    "name": "Acme",
    "before": "",
    "bases": "",
    "preference": "9",
    "construct": "",
    "external_ip": "",
    "address": "1.2.3.4",
    "more": "",
}
HANGS = f"time.sleep({HANG})"
HANGING_ERROR = f"""
class Odd(NoGateway):
    def __str__(self):
        time.sleep({HANG})
        return ""
class Alien(Exception):
    __str__ = Odd.__str__
"""
UNREADABLE_ERROR = """
class Odd(NoGateway):
    def __str__(self):
        raise RuntimeError("no")
class Alien(BaseException):
    __str__ = Odd.__str__
"""
META = """
class Meta(type):
    def __getattribute__(cls, name):
        if name in ({names!r},):
            raise {error}("no")
        return super().__getattribute__(name)
"""
ASYNC_HOOK = "@hookimpl\n    async def hint(self): return ''"


def source(**parts: str) -> str:
    return PLUGIN.format(**{**DEFAULTS, **parts})


def odd_class(names: str, error: str = "RuntimeError") -> str:
    return source(before=META.format(names=names, error=error), bases="metaclass=Meta")


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

GOOD = source(name="Good", preference="0", address="9.9.9.9")
GOOD_ENTRY = "[portmap.backends]\ngood = good_nat:Good\n"
_numbers = itertools.count()


class Install(Protocol):
    """The fixture `install` of conftest.py."""

    def __call__(self, name: str, entry_points: str, *, metadata: bool = True, **modules: str) -> Path:
        """Put a pretend distribution on sys.path."""


@pytest.fixture
def install_acme(install: Install) -> Callable[[str], Path]:
    """Installs such a source under a module name of its own: one that hangs may end during another test."""

    def put(text: str) -> Path:
        module = f"acme_nat_{next(_numbers)}"
        modules: Any = {module: text}
        return install("acme-nat", f"[portmap.backends]\nacme = {module}:Acme\n", **modules)

    return put


InstallAcme = Callable[[str], Path]


@pytest.fixture(autouse=True)
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "SECONDS", LIMIT)


def catalogue() -> Catalogue:
    """The pretend plugins alone: no test asks the network of the machine that it runs on."""
    entries, _ = installed_entries(BACKENDS)
    return Catalogue(BACKENDS, [entry for entry in entries if entry.value.startswith(("acme_nat", "good_nat:"))])


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


# metadata


def test_metadata_that_is_no_utf8_hides_no_plugin(install_acme: InstallAcme, install: Install) -> None:
    site = install_acme(source())
    install("good-nat", GOOD_ENTRY, good_nat=GOOD)
    (site / "acme-nat-1.0.dist-info" / "METADATA").write_bytes(
        b"Metadata-Version: 2.1\nName: \xff\xfe\nVersion: \xff\n"
    )
    assert str(load("good", catalogue()).external_ip()) == "9.9.9.9"
    assert str(load("acme", catalogue()).external_ip()) == "1.2.3.4"


@pytest.mark.parametrize(
    "content",
    [
        b"[portmap.backends]\nacme = acme_nat:Acme\n\xff\xfe = no:Thing\n",
        "[portmap.backends]\nacme = acme_nat:Acme\n".encode("utf-16"),
        b"[portmap.backends]\n" + b"".join(b"n%d = acme_nat:Acme\n" % number for number in range(300_000)),
        b"[portmap.backends]\n" + b"".join(b"n%d = acme_nat:Acme\n" % number for number in range(MAX_NAMES + 1)),
        b"[portmap.backends]\nacme = acme_nat:Acme\n#" + b"x" * MAX_TEXT,
        b"[portmap.backends]\nacme\n",
    ],
    ids=["no UTF-8", "UTF-16", "300,000 names", "one name too many", "too long", "no value"],
)
def test_unreadable_entry_points_hide_no_plugin_and_it_is_said(
    content: bytes, install_acme: InstallAcme, install: Install
) -> None:
    site = install_acme(source())
    install("good-nat", GOOD_ENTRY, good_nat=GOOD)
    (site / "acme-nat-1.0.dist-info" / "entry_points.txt").write_bytes(content)
    with Stopwatch() as watch:
        everything = Catalogue(BACKENDS)
    assert watch.seconds < 1.0
    assert str(load("good", everything).external_ip()) == "9.9.9.9"
    assert str(load("extip:1.2.3.4", everything)) == "extip 1.2.3.4"
    with pytest.raises(SpecError, match="the plugins of acme cannot be read"):
        everything.find(Spec("acme"))


# what an argument holds


@pytest.mark.parametrize("argument", ["user:canary@host", "canary"])
def test_no_message_repeats_an_argument(argument: str, install_acme: InstallAcme) -> None:
    install_acme(source(construct="raise ValueError('what is ' + argument)"))
    with pytest.raises(PluginError, match="raised ValueError for its argument") as caught:
        load(f"acme:{argument}", catalogue())
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "spec",
    [
        " acme:canary",
        "acme:canary ",
        "acme:can\nary",
        "acme:canary, acme:canary",
        "acme:canary,acme:canary",
        "acme:canary,extip:canary.example.org",
        "any:canary",
        "none:canary",
        "nothing:canary",
    ],
)
def test_no_message_about_a_spec_repeats_an_argument(spec: str, install_acme: InstallAcme) -> None:
    install_acme(source())
    with pytest.raises(PortmapError) as caught:
        load(spec)
    assert "canary" not in str(caught.value)


def test_a_list_is_shown_without_its_arguments(install_acme: InstallAcme) -> None:
    install_acme(source())
    assert str(load("acme:canary,pmp:127.0.0.1")) == "acme:…,pmp:…"
