"""`if:NAME`: the address of an interface, for a host that is public already."""

import socket
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from portmap.backends.nat import Nat
from portmap.errors import NoGateway, SpecError
from portmap.model import Address, Grant, Kind, Protocol
from portmap_extip import Interface
from portmap_extip.interface import reader

LOOPBACK = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def holding(addresses: str) -> Interface:
    held = [ip_address(address) for address in addresses.split()]
    return Interface(LOOPBACK, lambda _: held)


def test_its_path_is_the_static_one_and_its_ports_are_reachable() -> None:
    assert (Interface.kind, Interface.opens_ports) == (Kind.STATIC, True)


def test_it_is_named_after_the_interface() -> None:
    assert str(Interface.from_argument("eth0")) == "interface eth0"


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("10.0.0.5 1.2.3.4 5.6.7.8", "1.2.3.4"),  # as at cloud providers: a private address comes first
        ("2606:4700::1 1.2.3.4", "1.2.3.4"),
        ("192.168.1.5 fd00::1 2606:4700::1 2606:4700::2", "2606:4700::1"),
    ],
)
def test_the_first_public_address_is_told_ipv4_before_ipv6(held: str, told: str) -> None:
    assert str(holding(held).external_ip()) == told


def test_the_system_is_asked_at_every_call() -> None:
    held: list[Address] = [ip_address("1.2.3.4")]
    interface = Interface("eth0", lambda _: held)
    interface.external_ip()
    held[:] = [ip_address("5.6.7.8")]
    assert str(interface.external_ip()) == "5.6.7.8"


def test_an_interface_behind_a_nat_says_so_and_what_to_try() -> None:
    with pytest.raises(NoGateway, match=r"has only 192\.168\.1\.5, not public: use pcp, pmp or upnp"):
        holding("192.168.1.5").external_ip()


def test_an_interface_without_an_address_is_told_with_those_that_there_are() -> None:
    with pytest.raises(NoGateway, match=f"interface {LOOPBACK} has no address: use another of .*{LOOPBACK}"):
        holding("").external_ip()


def test_an_interface_that_is_not_there_is_told_with_those_that_there_are() -> None:
    with pytest.raises(NoGateway, match=f"there is no interface of that name: use another of .*{LOOPBACK}"):
        Interface.from_argument("nosuch0").external_ip()


def test_a_host_of_containers_does_not_name_them_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.if_nameindex", lambda: [(number, f"veth{number}") for number in range(99)])
    with pytest.raises(NoGateway, match=r"veth15, …$"):
        Interface("nosuch0", lambda _: []).external_ip()


def test_the_port_is_the_internal_one_unless_another_is_suggested() -> None:
    nat = Nat(holding("1.2.3.4"), "if")
    assert nat.add_mapping(Protocol.TCP, 0, 80, "", 600) == Grant(80, 0, static=True)
    assert nat.add_mapping(Protocol.TCP, 81, 80, "", 600) == Grant(81, 0, static=True)


@pytest.mark.parametrize("argument", [None, ""])
def test_without_a_name_there_is_nothing_to_ask(argument: str | None) -> None:
    with pytest.raises(SpecError, match="write if:eth0"):
        Interface.from_argument(argument)


def test_a_name_is_shown_once_there_is_an_interface_of_that_name() -> None:
    held: list[Address] = []
    interface = Interface("nosuch0", lambda _: held)
    assert str(interface) == "interface (not found)"
    held.append(ip_address("1.2.3.4"))
    interface.external_ip()
    assert str(interface) == "interface nosuch0"
    assert str(Interface(LOOPBACK, lambda _: [])) == f"interface {LOOPBACK}"


@pytest.mark.parametrize("argument", ["a/b", "a\0b", "e" * 256, "a b", "me:word", "me@eth0"])
def test_what_is_no_interfaces_name_is_refused(argument: str) -> None:
    with pytest.raises(SpecError, match="is no interface's name: write if:eth0"):
        Interface.from_argument(argument)


# elsewhere


def test_a_system_that_cannot_be_asked_is_told_when_the_spec_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netifaces", None)
    with pytest.raises(SpecError, match=r"install portmap-nat\[gateway\]"):
        reader("darwin")


NETIFACES = """
AF_INET, AF_INET6 = 2, 30
def ifaddresses(name):
    if name != "en0":
        raise ValueError("You must specify a valid interface name.")
    return {2: [{"addr": "1.2.3.4"}, {}], 30: [{"addr": "fe80::1%en0"}, {"addr": "2606:4700::1"}]}
"""


@pytest.fixture
def by_netifaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], list[str]]]:
    (tmp_path / "netifaces.py").write_text(NETIFACES)
    monkeypatch.syspath_prepend(tmp_path)
    real = sys.modules.pop("netifaces", None)
    yield lambda name: [str(address) for address in reader("darwin")(name)]
    sys.modules.pop("netifaces", None)
    if real is not None:
        sys.modules["netifaces"] = real


def test_elsewhere_netifaces_is_asked(by_netifaces: Callable[[str], list[str]]) -> None:
    assert by_netifaces("en0") == ["1.2.3.4", "fe80::1", "2606:4700::1"]


def test_an_interface_that_netifaces_does_not_know_has_no_address(by_netifaces: Callable[[str], list[str]]) -> None:
    assert by_netifaces("en9") == []
