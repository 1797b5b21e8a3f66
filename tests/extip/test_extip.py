"""The static backend: a known address, ports forwarded by hand, nothing sent."""

import socket
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.backends.nat import Nat
from portmap.errors import SpecError
from portmap.model import Grant, Kind, Protocol
from portmap_extip import ExtIp
from portmap_extip.argument import parse

BY_HAND = partial(Grant, lifetime=0, static=True)


def test_its_path_is_the_static_one() -> None:
    assert ExtIp.kind is Kind.STATIC


@pytest.mark.parametrize(
    ("argument", "address"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("192.168.1.5", "192.168.1.5"),  # the user's own word
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("2606:4700::1", "2606:4700::1"),
        ("2606:4700:0:0::1", "2606:4700::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
    ],
)
def test_an_address_is_taken_as_given(argument: str, address: str) -> None:
    backend = ExtIp.from_argument(argument)
    assert (backend.external_ip(), str(backend)) == (ip_address(address), f"extip {address}")


@pytest.mark.parametrize("argument", [None, ""])
def test_without_an_address_there_is_nothing_to_say(argument: str | None) -> None:
    with pytest.raises(SpecError, match=r"needs an address: write extip:203\.0\.113\.7"):
        ExtIp.from_argument(argument)


@pytest.mark.parametrize(
    "argument",
    [
        *("foo", "localhost", "1.2.3", "1.2.3.04", "1.2.3.256", "0x1.2.3.4", "16909060", "1" * 5000),
        *("1.2.3.4:80", "1.2.3.4/24", " 1.2.3.4", "1.2.3.4\n", "\u0661.2.3.4", "1.2.3.0x4", "1.2.3."),
        *("home.example.org:80", "home.example.org\n", "home..org", ".home.org", "home.org..", "-a.org", "a-.org"),
        *("h\u00f6me.org", "ho_me.org", "\u017f.org", "a b.org", "a." + "b" * 64, "a." * 127 + "org"),
        *("[::1]", ":::", "::ffff:1.2.3.4.5"),
    ],
)
def test_what_is_no_address_is_refused(argument: str) -> None:
    with pytest.raises(SpecError, match="is no IP address"):
        ExtIp.from_argument(argument)


@pytest.mark.parametrize("argument", ["fe80::1%eth0", "::1%1", "::ffff:1.2.3.4%1"])
def test_a_zone_is_refused(argument: str) -> None:
    with pytest.raises(SpecError, match="has a zone"):
        ExtIp.from_argument(argument)


@pytest.mark.parametrize("argument", ["0.0.0.0", "::", "::ffff:0.0.0.0"])  # noqa: S104  # nothing is bound
def test_the_unspecified_address_is_refused(argument: str) -> None:
    with pytest.raises(SpecError, match="means 'no address'"):
        ExtIp.from_argument(argument)


@pytest.mark.parametrize("argument", ["224.0.0.1", "255.255.255.255", "ff02::1"])
def test_a_group_address_is_refused(argument: str) -> None:
    with pytest.raises(SpecError, match="is a group address"):
        ExtIp.from_argument(argument)


def test_without_a_suggested_port_the_internal_one_is_granted() -> None:
    assert Nat(ExtIp.from_argument("1.2.3.4"), "extip").add_mapping(Protocol.TCP, 0, 8443, "", 600) == BY_HAND(8443)


def test_a_port_that_is_forwarded_from_another_is_that_one() -> None:
    assert Nat(ExtIp.from_argument("1.2.3.4"), "extip").add_mapping(Protocol.UDP, 443, 8443, "", 600) == BY_HAND(443)


def test_nothing_is_ever_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        pytest.fail("a socket was made")

    monkeypatch.setattr(socket, "socket", fail)
    nat = Nat(ExtIp.from_argument("1.2.3.4"), "extip")
    nat.external_ip()
    nat.add_mapping(Protocol.TCP, 0, 80, "", 600)
    nat.delete_mapping(Protocol.TCP, 80, 80)


@pytest.mark.parametrize(
    "argument", ["home.example.org", "HOME.example.org.", "4.de", "xn--hme-sna.org", "a." * 125 + "org"]
)
def test_a_hosts_full_name_is_taken_and_shown_as_written(argument: str) -> None:
    assert str(ExtIp.from_argument(argument)) == f"extip {argument}"


@given(st.text())
def test_any_text_is_an_address_or_a_spec_error(text: str) -> None:
    try:
        assert isinstance(parse(text), str | IPv4Address | IPv6Address)
    except SpecError as error:
        assert str(error)  # noqa: PT017  # either outcome is right
