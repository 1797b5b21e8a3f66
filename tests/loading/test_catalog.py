"""Plugins are found by entry point and loaded one by one; whatever is wrong with one is its own affair."""

import sys
from importlib.metadata import EntryPoint
from typing import Protocol

import pytest
from tests.loading.acme import source

from portmap.backends.load import load
from portmap.errors import PluginError, SpecError
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import Catalogue, Plugin
from portmap.syntax.plugin_specs import Spec, parse_spec

GOOD = source()
ACME = "[portmap.backends]\nacme = acme_nat:Acme\n"


class Install(Protocol):
    """The fixture `install` of conftest.py."""

    def __call__(self, name: str, entry_points: str, *, metadata: bool = True, **modules: str) -> object:
        """Put a pretend distribution on sys.path."""


def found(name: str, group: str = BACKENDS) -> Plugin:
    """The installed plugin of that name, taken or not."""
    (plugin,) = [plugin for plugin in Catalogue(group).plugins if plugin.distribution == "acme-nat"]
    assert name in plugin.names
    return plugin


def why_broken(plugin: Plugin) -> str:
    """Why the plugin cannot be loaded; empty when it can."""
    try:
        plugin.load()
    except PluginError as error:
        return str(error)
    return ""


def test_what_a_distribution_offers_is_found_by_its_entry_point(install: Install) -> None:
    install("acme-nat", ACME, acme_nat=GOOD)
    assert str(found("acme")) == "backend 'acme' (acme-nat 1.0)"


def test_a_third_partys_backend_is_chosen_and_used_like_ours(install: Install) -> None:
    install("acme-nat", ACME, acme_nat=GOOD)
    assert str(load("ACME:whatever").external_ip()) == "1.2.3.4"


def test_looking_imports_nothing(install: Install) -> None:
    install("acme-nat", ACME, acme_nat=GOOD)
    assert "acme" in [name for plugin in Catalogue(BACKENDS).plugins for name in plugin.names]
    assert "acme_nat" not in sys.modules


def test_choosing_another_imports_nothing_of_it(install: Install) -> None:
    install("acme-nat", ACME, acme_nat="raise SystemExit('must not be seen')")
    load("extip:1.2.3.4")
    assert "acme_nat" not in sys.modules


def test_aliases_are_one_plugin_of_several_names(install: Install) -> None:
    install("acme-nat", ACME + "Acme-NAT = acme_nat:Acme\n", acme_nat=GOOD)
    assert found("acme").names == ("acme", "acme-nat")


def test_our_own_plugins_are_found_by_entry_point_too() -> None:
    kinds = {plugin.names: plugin.load().kind.value for plugin in Catalogue(BACKENDS).plugins}
    assert kinds == {
        ("any", "auto", "on"): "loop",
        ("none", "off"): "none",
        ("extip", "ip"): "static",
        ("if",): "static",
        ("nat-pmp", "natpmp", "pmp"): "loop",
        ("miniupnpc",): "loop",
        ("punch",): "loop",
        ("pcp",): "loop",
        ("protonvpn",): "loop",
        ("stun",): "static",
        ("upnp",): "loop",
    }


# what may be wrong with one


BROKEN = {
    "an import that fails": ("import no_such_module", "cannot be imported: ModuleNotFoundError"),
    "an exit at import": ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
    "a syntax error": ("def", "cannot be imported: SyntaxError"),
    "no such class": ("", "cannot be imported: AttributeError"),
    "its own word": ("from portmap import PluginError\nraise PluginError('install acme-lib')", ": install acme-lib"),
    "no class": ("Acme = 5", "acme_nat:Acme is no class"),
    "a function": ("def Acme(): ...", "acme_nat:Acme is no class"),
    "no from_argument": (GOOD.replace("from_argument", "from_text"), "lacks the class method from_argument"),
    "no kind": (GOOD.replace("kind = Kind.LOOP", ""), "declares no kind: set `kind: ClassVar[Kind]`"),
    "an odd kind": (GOOD.replace("kind = Kind.LOOP", "kind = 'loop'"), "declares no kind"),
    "a missing hook": (GOOD.replace("def delete_mapping", "def remove"), "unknown hook 'remove'"),
    "an unmarked hook": (
        GOOD.replace("    @hookimpl\n    def delete_mapping", "    def delete_mapping"),
        "lacks the hook delete_mapping: mark it with @hookimpl",
    ),
    "a misspelt argument": (GOOD.replace("internal_port)", "inner_port)"), "inner_port"),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_named_with_its_distribution_and_the_reason(
    install: Install, source: str, reason: str
) -> None:
    install("acme-nat", ACME, acme_nat=source)
    why = why_broken(found("acme"))
    assert why.startswith("backend 'acme' (acme-nat 1.0)")
    assert reason in why


@pytest.mark.parametrize("source", [source for source, _ in BROKEN.values()], ids=BROKEN)
def test_a_broken_plugin_harms_no_other(install: Install, source: str) -> None:
    install("acme-nat", ACME, acme_nat=source)
    others = [plugin for plugin in Catalogue(BACKENDS).plugins if plugin.distribution != "acme-nat"]
    assert len(others) >= 5
    assert not any(why_broken(plugin) for plugin in others)


def test_choosing_a_broken_plugin_gives_its_reason(install: Install) -> None:
    install("acme-nat", ACME, acme_nat="import no_such_module")
    with pytest.raises(PluginError, match=r"acme-nat 1.0.*no_such_module"):
        load("acme")


def test_a_good_plugin_has_no_reason(install: Install) -> None:
    install("acme-nat", ACME, acme_nat=GOOD)
    assert why_broken(found("acme")) == ""


def test_an_entry_point_without_a_module_is_broken(install: Install) -> None:
    install("acme-nat", "[portmap.backends]\nacme = !!!\n")
    assert "cannot be imported" in why_broken(found("acme"))


def test_a_half_removed_distribution_is_listed_all_the_same(install: Install) -> None:
    install("acme-nat", ACME, metadata=False, acme_nat=GOOD)
    assert "unknown 0" in str(Catalogue(BACKENDS).find(parse_spec("acme")))


# who keeps a name


def test_ours_keeps_its_name(install: Install) -> None:
    install("acme-nat", "[portmap.backends]\nupnp = acme_nat:Acme\n", acme_nat=GOOD)
    assert "UPnP" in str(load("upnp"))


def test_a_claim_to_a_taken_name_is_listed_as_broken(install: Install) -> None:
    install("acme-nat", "[portmap.backends]\nupnp = acme_nat:Acme\n", acme_nat=GOOD)
    assert "the name is already taken by portmap-nat " in why_broken(found("upnp"))


def test_the_case_of_a_name_takes_none(install: Install) -> None:
    install("acme-nat", "[portmap.backends]\nUPnP = acme_nat:Acme\n", acme_nat=GOOD)
    assert "already taken" in why_broken(found("upnp"))


def test_a_plugin_loses_only_the_name_that_is_taken(install: Install) -> None:
    install("acme-nat", ACME + "upnp = acme_nat:Acme\n", acme_nat=GOOD)
    assert str(load("acme").external_ip()) == "1.2.3.4"


def test_between_third_parties_the_first_of_the_alphabet_keeps_the_name(install: Install) -> None:
    install("zeta-nat", "[portmap.backends]\nacme = zeta_nat:Acme\n", zeta_nat=GOOD)
    install("acme-nat", ACME, acme_nat=GOOD)
    plugins = [plugin for plugin in Catalogue(BACKENDS).plugins if "acme" in plugin.names]
    assert [(plugin.distribution, plugin.shadowed_by) for plugin in plugins] == [
        ("acme-nat", ""),
        ("zeta-nat", "acme-nat 1.0"),
    ]


def test_entry_points_of_no_distribution_are_taken_as_they_are() -> None:
    entry = EntryPoint("here", "portmap.backends.any.backend:NoNat", BACKENDS)
    assert str(Catalogue(BACKENDS, [entry]).find(Spec("here"))) == "backend 'here' (unknown 0)"


def test_a_name_that_only_a_loser_claims_is_not_found() -> None:
    with pytest.raises(SpecError, match="unknown backend 'acme'"):
        Catalogue(BACKENDS).find(Spec("acme"))


# publishers


PUBLISHER = """
from portmap import hookimpl

class Acme:
    @classmethod
    def from_argument(cls, argument):
        return cls()
    @hookimpl
    def on_event(self, event):
        pass
"""


def test_a_publisher_needs_no_kind(install: Install) -> None:
    install("acme-nat", "[portmap.publishers]\nacme = acme_nat:Acme\n", acme_nat=PUBLISHER)
    assert why_broken(found("acme", PUBLISHERS)) == ""


def test_a_publisher_without_its_hook_is_broken(install: Install) -> None:
    source = PUBLISHER.replace("@hookimpl", "")
    install("acme-nat", "[portmap.publishers]\nacme = acme_nat:Acme\n", acme_nat=source)
    assert why_broken(found("acme", PUBLISHERS)) == (
        "publisher 'acme' (acme-nat 1.0) lacks the hook converge or on_event or sign_record: mark one with @hookimpl"
    )


def test_a_backend_is_no_publisher(install: Install) -> None:
    install("acme-nat", ACME, acme_nat=GOOD)
    with pytest.raises(SpecError, match=r"unknown publisher 'acme': installed are .*enr"):
        Catalogue(PUBLISHERS).find(Spec("acme"))
