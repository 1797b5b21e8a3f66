import socket
import sys
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import SimpleNamespace

import pytest

from portmap.errors import NoGateway
from portmap.network import routes
from portmap.network.routes import (
    default_gateways,
    guessed_gateways,
    local_address_to,
    parse_connected_networks,
    parse_routes,
)

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
HOME = IPv4Address("192.168.1.1")


def route(gateway: str = "0101A8C0", *, to: str = "00000000", flags: str = "0003", metric: int = 0) -> str:
    """One line as Linux prints it. `gateway` is 192.168.1.1 as a little-endian machine shows it."""
    mask = "00000000" if to == "00000000" else "00FFFFFF"
    return f"eth0\t{to}\t{gateway}\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0      "


def parsed(*lines: str) -> list[IPv4Address]:
    return parse_routes("\n".join((HEAD, *lines)), byteorder="little")


def test_the_default_route_names_the_gateway() -> None:
    assert parsed(route()) == [HOME]


def test_only_what_no_router_leads_to_is_a_connected_network() -> None:
    point_to_point = route("00000000", flags="0001")  # a default route without a gateway
    lines = (route(), point_to_point, route(to="0000090A"), route("00000000", to="004DA8C0", flags="0001"), "nonsense")
    text = "\n".join((HEAD, *lines))
    assert parse_connected_networks(text, byteorder="little") == [IPv4Network("192.168.77.0/24")]


def test_a_big_endian_machine_prints_the_bytes_the_other_way_round() -> None:
    assert parse_routes("\n".join((HEAD, route("C0A80101"))), byteorder="big") == [HOME]


def test_by_default_the_byte_order_is_the_machines() -> None:
    number = int.from_bytes(HOME.packed, sys.byteorder)
    assert parse_routes("\n".join((HEAD, route(f"{number:08X}")))) == [HOME]


def test_the_best_metric_comes_first() -> None:
    assert parsed(route("0100000A", metric=600), route(metric=100)) == [HOME, IPv4Address("10.0.0.1")]


def test_equal_metrics_keep_the_kernels_order() -> None:
    assert parsed(route("0100000A", metric=100), route(metric=100)) == [IPv4Address("10.0.0.1"), HOME]


def test_a_gateway_is_named_once() -> None:
    assert parsed(route(metric=100), route(metric=200), route(metric=50)) == [HOME]


@pytest.mark.parametrize(
    "line",
    [
        route("00000000", flags="0001"),  # PPP and some VPNs: on the link, no gateway
        route("00000000"),  # gateway 0.0.0.0, whatever the flags say
        route(flags="0001"),  # no RTF_GATEWAY
        route(flags="0002"),  # not up
        route("00000000", flags="0200"),  # RTF_REJECT: "unreachable default"
        route(to="0001A8C0"),  # to some net, not the default
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000080\t0\t0\t0",  # 0.0.0.0/1, one half of a VPN's pair
        "eth0\t00000000\t0101A8C0",  # cut
        "eth0\t00000000\tROUTER\t0003\t0\t0\t0\t00000000",
        "eth0\t00000000\t0101A8C0FF\t0003\t0\t0\t0\t00000000",
        "eth0\t00000000\t-101A8C0\t0003\t0\t0\t0\t00000000",
        "",
        "\ufffd\x00\ufffd",
    ],
)
def test_what_is_no_default_route_through_a_gateway_is_skipped(line: str) -> None:
    assert parsed(line, route("0100000A")) == [IPv4Address("10.0.0.1")]


@pytest.mark.parametrize("table", ["", HEAD, HEAD + "\n"])
def test_an_empty_table_names_no_gateway(table: str) -> None:
    assert parse_routes(table) == []


# where the table comes from

UseTable = Callable[[str], None]


@pytest.fixture
def use_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UseTable:
    """Put lines in the place of /proc/net/route."""

    def use(*lines: str) -> None:
        file = tmp_path / "route"
        file.write_text("\n".join((HEAD, *lines)), encoding="ascii")
        monkeypatch.setattr(routes, "_ROUTES", file)

    return use


@pytest.fixture
def no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS and Windows."""
    monkeypatch.setattr(routes, "_ROUTES", tmp_path / "there is none")
    monkeypatch.setitem(sys.modules, "netifaces", None)


@pytest.fixture
def our_address(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Where we are, without asking the machine that the tests run on."""

    def be_at(address: str) -> None:
        monkeypatch.setattr(routes, "local_address_to", lambda *_: IPv4Address(address))

    return be_at


def netifaces(default: tuple[str, str] | None, *routes: tuple[str, str, bool]) -> SimpleNamespace:
    """What the library of that name tells."""
    table: dict[object, object] = {"default": {socket.AF_INET: default} if default else {}}
    if routes:
        table[socket.AF_INET] = list(routes)
    return SimpleNamespace(AF_INET=socket.AF_INET, gateways=lambda: table)


@pytest.mark.skipif(sys.byteorder == "big", reason="the table is written as a little-endian machine prints it")
def test_linux_tells_by_itself(use_table: UseTable) -> None:
    use_table(route())
    assert default_gateways() == [HOME]


@pytest.mark.usefixtures("no_table")
def test_a_system_without_table_and_library_tells_nothing() -> None:
    assert default_gateways() == []


@pytest.mark.usefixtures("no_table")
def test_elsewhere_netifaces_tells_the_default_first(monkeypatch: pytest.MonkeyPatch) -> None:
    library = netifaces(("192.168.1.1", "en0"), ("10.0.0.1", "en1", False), ("192.168.1.1", "en0", True))
    monkeypatch.setitem(sys.modules, "netifaces", library)
    assert default_gateways() == [HOME, IPv4Address("10.0.0.1")]


@pytest.mark.usefixtures("no_table")
def test_netifaces_without_a_default_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netifaces", netifaces(None))
    assert default_gateways() == []


@pytest.mark.usefixtures("no_table")
def test_netifaces_that_fails_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError

    monkeypatch.setitem(sys.modules, "netifaces", SimpleNamespace(gateways=fail))
    assert default_gateways() == []


# candidates


@pytest.mark.usefixtures("no_table")
@pytest.mark.parametrize(
    ("ours", "guess"),
    [("192.168.7.55", "192.168.7.1"), ("10.1.2.3", "10.1.2.1"), ("172.31.9.9", "172.31.9.1")],
)
def test_without_routes_the_first_host_of_our_private_net_is_guessed(
    ours: str, guess: str, our_address: Callable[[str], None]
) -> None:
    our_address(ours)
    assert guessed_gateways() == [IPv4Address(guess)]


@pytest.mark.usefixtures("no_table")
@pytest.mark.parametrize("ours", ["8.8.4.4", "100.64.3.3", "169.254.7.7", "127.0.0.1", "192.168.7.1"])
def test_nothing_is_guessed_outside_private_nets_nor_ourselves(ours: str, our_address: Callable[[str], None]) -> None:
    our_address(ours)
    assert guessed_gateways() == []


@pytest.mark.usefixtures("no_table")
def test_without_a_network_there_are_no_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(peer: IPv4Address, _interface: str | None) -> IPv4Address:
        raise NoGateway(f"no route to {peer}")

    monkeypatch.setattr(routes, "local_address_to", nowhere)
    assert guessed_gateways() == []


@pytest.mark.skipif(sys.byteorder == "big", reason="the table is written as a little-endian machine prints it")
def test_with_a_default_route_nothing_is_guessed(use_table: UseTable, our_address: Callable[[str], None]) -> None:
    use_table(route("FE01A8C0"))
    our_address("192.168.1.7")
    assert (default_gateways(), guessed_gateways()) == ([IPv4Address("192.168.1.254")], [])


# our own address


def test_towards_loopback_we_are_on_loopback() -> None:
    assert local_address_to(IPv4Address("127.0.0.9")) == IPv4Address("127.0.0.1")


def test_no_way_is_no_gateway() -> None:
    with pytest.raises(NoGateway, match=r"no route to 127\.255\.255\.255"):
        local_address_to(IPv4Address("127.255.255.255"))  # broadcast: refused without a packet
