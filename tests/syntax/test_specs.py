"""Ring 1: specs, split."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import SpecError
from portmap.syntax.plugin_specs import (
    Spec,
    hop_texts,
    on_interface,
    parse_backend_spec,
    parse_spec,
    parse_spec_list,
    shown_spec,
    without_arguments,
)


def test_a_name_alone_has_no_argument() -> None:
    assert parse_spec("upnp") == Spec("upnp", None)


def test_a_colon_without_more_gives_an_empty_argument() -> None:
    assert parse_spec("upnp:") == Spec("upnp", "")


def test_only_the_first_colon_splits() -> None:
    assert parse_spec("upnp:http://192.168.1.1:5000/d.xml") == Spec("upnp", "http://192.168.1.1:5000/d.xml")


def test_an_ipv6_address_survives() -> None:
    assert parse_spec("extip:::1") == Spec("extip", "::1")


def test_a_name_is_folded_and_an_argument_is_not() -> None:
    assert parse_spec("PMP:Router") == Spec("pmp", "Router")


def test_the_empty_spec_means_none() -> None:
    assert parse_spec("") == Spec("none", None)


def test_the_empty_name_means_none_and_keeps_its_argument() -> None:
    assert parse_spec(":x") == Spec("none", "x")


@pytest.mark.parametrize("text", [" any", "any ", "pmp: 1.2.3.4", "pmp :1.2.3.4", "any\n", "\tany", "any\u00a0", " "])
def test_white_space_around_a_part_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="white space"):
        parse_spec(text)


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "pmp:\x1b[31m", "a\u202eb", "pmp:1\r\n2"])
def test_unprintable_characters_are_refused_and_not_echoed_raw(text: str) -> None:
    with pytest.raises(SpecError, match="unprintable") as caught:
        parse_spec(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["pmp", "pmp:192.168.1.1", "extip:::1", "upnp:"])
def test_a_spec_is_written_as_it_was_read(text: str) -> None:
    assert parse_spec(text).text == text


@given(st.text())
def test_any_text_is_a_spec_or_a_spec_error(text: str) -> None:
    with suppress(SpecError):
        assert parse_spec(text).name


# lists


@pytest.mark.parametrize(
    "text",
    [
        "pcp,upnp",
        "PCP,upnp",
        "pmp:192.168.1.1,upnp:http://192.168.1.1:5000/x.xml",
        "upnp:http://192.168.1.1/a,b.xml,pmp",
        "pcp:fe80::1%eth0,upnp",
        "pcp,",
        "pcp,192.168.1.1",
    ],
)
def test_a_list_is_the_argument_of_any(text: str) -> None:
    assert parse_backend_spec(text) == Spec("any", text) == parse_backend_spec(f"any:{text}")


@pytest.mark.parametrize(
    "text",
    ["upnp:http://192.168.1.1/a,b.xml", "upnp:http://192.168.1.1/?a=1,2", "pmp:1.2.3.4,5.6.7.8", "acme:x,", "any"],
)
def test_a_comma_in_an_argument_makes_no_list(text: str) -> None:
    assert parse_backend_spec(text) == parse_spec(text)


@pytest.mark.parametrize("text", ["exec:log a,b", "file:/tmp/a,b"])
def test_a_publishers_spec_is_never_a_list(text: str) -> None:
    assert parse_spec(text).argument == text.partition(":")[2]


@pytest.mark.parametrize("text", ["pcp, upnp", "pcp ,upnp", "any:pcp , upnp", "pcp,\tupnp:http://192.168.1.1/"])
def test_white_space_around_a_comma_is_refused_and_said(text: str) -> None:
    with pytest.raises(SpecError, match="white space around a comma"):
        parse_backend_spec(text)


def test_the_members_of_a_list_are_specs_in_order() -> None:
    members = parse_spec_list("PMP:192.168.1.1,upnp:http://192.168.1.1/a,b.xml,pcp")
    assert members == (Spec("pmp", "192.168.1.1"), Spec("upnp", "http://192.168.1.1/a,b.xml"), Spec("pcp"))


@pytest.mark.parametrize("text", ["pcp,", ",pcp", "pcp,,upnp", ",", "", "pcp,1.2.3.4"])
def test_an_empty_member_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="empty member"):
        parse_spec_list(text)


@given(st.text(st.sampled_from("ab:,/ .-1")))
def test_a_backends_spec_is_written_as_it_was_read(text: str) -> None:
    with suppress(SpecError):
        spec = parse_backend_spec(text)
        assert parse_backend_spec(spec.text) == spec


# chains


@pytest.mark.parametrize(
    ("text", "hops"),
    [
        ("any beyond pmp:192.168.0.1", [Spec("any"), Spec("pmp", "192.168.0.1")]),
        ("pmp beyond pcp:1.1.1.1 beyond upnp", [Spec("pmp"), Spec("pcp", "1.1.1.1"), Spec("upnp")]),
        ("pcp,pmp beyond pcp:1.1.1.1,pmp:1.1.1.1", [Spec("any", "pcp,pmp"), Spec("any", "pcp:1.1.1.1,pmp:1.1.1.1")]),
    ],
)
def test_a_chain_is_its_gateways_from_here_outwards(text: str, hops: list[Spec]) -> None:
    spec = parse_backend_spec(text)
    assert list(spec.hops) == hops
    assert parse_backend_spec(spec.text) == spec


def test_a_gateway_alone_is_one_hop() -> None:
    assert parse_backend_spec("pmp:192.168.1.1").hops == (Spec("pmp", "192.168.1.1"),)


@pytest.mark.parametrize(
    "text",
    [
        "any Beyond pmp:192.168.0.1",
        "any BEYOND pmp",
        "pmp beyond pcp beyoNd upnp",
        "pmp Beyond",
        "pmp Beyond beyond pcp",
    ],
)
def test_beyond_in_capitals_or_at_an_end_is_no_part_of_a_name(text: str) -> None:
    with pytest.raises(SpecError, match="write NAME beyond NAME, in small letters"):
        parse_backend_spec(text)


@pytest.mark.parametrize("text", ["pmp  beyond pmp:1.1.1.1", "pmp beyond  pmp", " beyond pmp "])
def test_what_is_no_chain_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="white space"):
        parse_backend_spec(text)


def test_a_chain_is_shown_without_what_may_be_a_secret() -> None:
    text = "upnp:http://user:secret@192.168.1.1/ beyond pmp:192.168.0.1"
    assert shown_spec(text) == "upnp:… beyond pmp:192.168.0.1"
    assert without_arguments(text) == "upnp:… beyond pmp:…"
    assert str(parse_backend_spec(text)) == "upnp:… beyond pmp:…"


# an interface


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("any on eth1", Spec("any", interface="eth1")),
        ("pmp:192.168.2.1 on wlan0", Spec("pmp", "192.168.2.1", interface="wlan0")),
        ("pcp,upnp on eth1", Spec("any", "pcp,upnp", interface="eth1")),
        ("any on eth1 beyond auto", Spec("any", beyond=(Spec("auto"),), interface="eth1")),
    ],
)
def test_the_word_behind_on_is_the_interface(text: str, spec: Spec) -> None:
    assert parse_backend_spec(text) == spec
    assert parse_backend_spec(spec.text) == spec


def test_every_gateway_of_a_chain_is_reached_by_its_interface() -> None:
    hops = parse_backend_spec("any on eth1 beyond pmp:10.0.0.1 beyond auto").hops
    assert [(hop.name, hop.interface) for hop in hops] == [("any", "eth1"), ("pmp", "eth1"), ("auto", "eth1")]
    assert hop_texts("any on eth1 beyond pmp:10.0.0.1") == ["any", "pmp:10.0.0.1"]


@pytest.mark.parametrize("name", ["eth0.100", "wg0", "br-0a1b2c3d4e5f", "enx001122334455"[:15], "lté0", "veth@if3"])
def test_any_name_that_linux_takes_is_an_interface(name: str) -> None:
    assert parse_backend_spec(f"pmp on {name}").interface == name


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "eth0:1", ".", "..", "x" * 16, "é" * 8, "a\x1b[31m", "eth0 on eth1"]
)
def test_what_linux_takes_for_no_name_is_refused(name: str) -> None:
    with pytest.raises(
        SpecError, match="cannot be: a name has up to 15 bytes, without blank, slash and colon"
    ) as caught:
        parse_backend_spec(f"pmp on {name}")
    assert str(caught.value).isprintable()


def test_an_interface_behind_another_gateway_than_the_first_is_refused() -> None:
    with pytest.raises(SpecError, match="behind the first gateway: write NAME on eth0 beyond NAME"):
        parse_backend_spec("pmp beyond pmp:10.0.0.1 on eth1")


@pytest.mark.parametrize(
    ("spec", "text"),
    [("any", "any on eth1"), ("any beyond auto", "any on eth1 beyond auto"), ("pmp on eth1", "pmp on eth1")],
)
def test_a_gateway_is_put_on_an_interface(spec: str, text: str) -> None:
    assert on_interface(spec, "eth1") == text
    assert on_interface(text, None) == text


def test_two_interfaces_are_refused() -> None:
    with pytest.raises(SpecError, match="two interfaces are named, eth0 and eth1: name one"):
        on_interface("pmp on eth0 beyond auto", "eth1")


def test_an_interface_is_shown_and_what_may_be_a_secret_is_not() -> None:
    text = "upnp:http://user:secret@192.168.1.1/ on eth1 beyond pmp:192.168.0.1"
    assert shown_spec(text) == "upnp:… on eth1 beyond pmp:192.168.0.1"
    assert without_arguments(text) == str(parse_backend_spec(text)) == "upnp:… on eth1 beyond pmp:…"
