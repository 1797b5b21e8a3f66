"""The IPv6 side of `portmap.network.routes`: default routers, and our own global address."""

import socket
import sys
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from types import SimpleNamespace

import pytest

from portmap.network import routes
from portmap.network.routes import default_gateways6, global_ipv6_address, parse_routes6

ROUTER, OTHER = IPv6Address("fe80::1%eth0"), IPv6Address("2a00:77::1")
NOWHERE = "0" * 32


def route(
    gateway: str = "fe80::1",
    *,
    to: str = NOWHERE,
    prefix: str = "00",
    source: str = "00",
    flags: str = "00450003",
    metric: str = "00000400",
    interface: str = "eth0",
) -> str:
    """One line as Linux prints it."""
    via = IPv6Address(gateway).packed.hex()
    return f"{to} {prefix} {NOWHERE} {source} {via} {metric} 00000001 00000000 {flags}     {interface}"


def parsed(*lines: str) -> list[IPv6Address]:
    return parse_routes6("\n".join(lines))


def test_the_default_route_names_the_router_and_its_interface() -> None:
    assert parsed(route()) == [ROUTER]


def test_a_global_address_needs_no_interface() -> None:
    assert parsed(route("2a00:77::1")) == [OTHER]


def test_the_best_metric_comes_first_and_is_read_as_hexadecimal() -> None:
    assert parsed(route(metric="00000100"), route("2a00:77::1", metric="000000ff")) == [OTHER, ROUTER]


def test_a_router_is_named_once_for_each_interface() -> None:
    lines = route(metric="00000200"), route(metric="00000100"), route(interface="eth1", metric="00000300")
    assert parsed(*lines) == [ROUTER, IPv6Address("fe80::1%eth1")]


def test_a_flood_of_router_advertisements_makes_eight_gateways_the_first_of_them_the_kernels() -> None:
    flood = [route(f"fe80::bad:{number:x}") for number in range(2000)]
    found = parsed(route(), *flood)
    assert (found[0], len(found)) == (ROUTER, 8)


def test_a_route_that_holds_for_one_prefix_of_ours_counts() -> None:
    assert parsed(route(source="40")) == [ROUTER]


@pytest.mark.parametrize(
    "line",
    [
        route("::", flags="00000001"),  # on the link
        route("::"),
        route(flags="00450001"),  # no RTF_GATEWAY
        route(flags="00450002"),  # not up
        route("::", flags="00200200", interface="lo"),  # the kernel's own "unreachable default"
        route(to="2a00" + "0" * 28, prefix="10"),
        route(prefix="03"),  # ::/3, as some VPNs have it
        route()[:80],
        route().replace("fe80", "FE8G"),
        route() + " more",
        route(interface="eth0 with blanks"),
        "",
        "\ufffd\x00\ufffd",
    ],
)
def test_what_is_no_default_route_through_a_gateway_is_skipped(line: str) -> None:
    assert parsed(line, route("2a00:77::1")) == [OTHER]


# where the table comes from


@pytest.fixture
def no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows."""
    monkeypatch.setattr(routes, "_ROUTES6", tmp_path / "there is none")
    monkeypatch.setitem(sys.modules, "netifaces", None)


def test_linux_tells_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ipv6_route"
    file.write_text(route() + "\n", encoding="ascii")
    monkeypatch.setattr(routes, "_ROUTES6", file)
    assert default_gateways6() == [ROUTER]


@pytest.mark.usefixtures("no_table")
def test_a_system_without_table_and_library_tells_nothing() -> None:
    assert default_gateways6() == []


@pytest.mark.usefixtures("no_table")
@pytest.mark.parametrize("told", ["fe80::1", "fe80::1%eth0"])
def test_elsewhere_netifaces_tells(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {"default": {socket.AF_INET6: (told, "eth0")}, socket.AF_INET6: [(told, "eth0", True)]}
    library = SimpleNamespace(AF_INET6=socket.AF_INET6, gateways=lambda: table)
    monkeypatch.setitem(sys.modules, "netifaces", library)
    assert default_gateways6() == [ROUTER]


# our own global address

Become = Callable[[str], None]


class Probe(socket.socket):
    """A socket that is told what its own address is, and sends nothing."""

    ours = ""

    def connect(self, address: object) -> None:
        if not self.ours:
            raise OSError(101, "Network is unreachable")

    def getsockname(self) -> tuple[str, int, int, int]:
        return self.ours, 12345, 0, 0


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Become:
    """Where we are, without asking the machine that the tests run on."""

    def be_at(address: str) -> None:
        monkeypatch.setattr(Probe, "ours", address)
        monkeypatch.setattr(socket, "socket", Probe)

    return be_at


def test_our_address_towards_another_network_is_ours(become: Become) -> None:
    become("2a00:77::2")
    assert global_ipv6_address() == IPv6Address("2a00:77::2")


@pytest.mark.parametrize("address", ["", "::1", "fe80::7%eth0", "fd00::7", "2001:db8::7"])
def test_an_address_that_is_unreachable_from_outside_is_none(address: str, become: Become) -> None:
    become(address)
    assert global_ipv6_address() is None
