"""One interface by its name: what the kernel lists, read; and what cannot be used, told."""

import socket
import struct
import sys
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest

from portmap.errors import NoGateway, SpecError
from portmap.model import Address
from portmap.network import netlink
from portmap.network.interface import (
    answers_leave_by,
    check_has_ipv4,
    check_usable,
    require_interface,
    use_interface,
)
from portmap.network.netlink import Link, parse_addresses, parse_default_routes, parse_links
from portmap.network.routes import (
    bind_towards,
    default_gateways,
    default_gateways6,
    global_ipv6_address,
    guessed_gateways,
    is_on_link,
    local_address_to,
)

UP, LOOPBACK, RUNNING = 0x1, 0x8, 0x40
HOME, OFFICE = IPv4Address("192.168.1.1"), IPv4Address("192.168.2.1")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="an interface can be chosen on Linux only")


def attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def number(value: int) -> bytes:
    return struct.pack("=I", value)


def link(name: str, index: int, flags: int) -> bytes:
    return struct.pack("=BxHiII", 0, 1, index, flags, 0) + attribute(3, name.encode() + b"\0")


def address(text: str, index: int, flags: int = 0) -> bytes:
    packed = socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return (
        struct.pack("=BBBBI", family, 24, flags & 0xFF, 0, index) + attribute(1, packed) + attribute(8, number(flags))
    )


def route(gateway: str, index: int, *, metric: int = 0, table: int = 254, prefix: int = 0, kind: int = 1) -> bytes:
    ipv6 = ":" in gateway
    packed = socket.inet_pton(socket.AF_INET6 if ipv6 else socket.AF_INET, gateway)
    head = struct.pack("=BBBBBBBBI", socket.AF_INET6 if ipv6 else socket.AF_INET, prefix, 0, 0, 0, 3, 0, kind, 0)
    told = [(5, packed), (4, number(index)), (6, number(metric)), (15, number(table))]
    return head + b"".join(attribute(*each) for each in told)


def ways(*hops: tuple[int, IPv4Address]) -> bytes:
    """A default route with several next hops."""
    parts = (attribute(5, gateway.packed) for _, gateway in hops)
    packed = b"".join(
        struct.pack("=HBBi", 8 + len(part), 0, 0, index) + part for (index, _), part in zip(hops, parts, strict=True)
    )
    return struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 3, 0, 1, 0) + attribute(9, packed)


# What the kernel lists


def test_a_flood_of_router_advertisements_makes_eight_gateways_of_an_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = [IPv6Address(f"fe80::bad:{number:x}") for number in range(2000)]
    monkeypatch.setattr(netlink, "default_gateways", lambda _number, _family: flood)
    assert default_gateways6("lo") == [IPv6Address(f"{address}%lo") for address in flood[:8]]


def test_a_link_has_name_number_and_flags() -> None:
    assert parse_links([link("eth1", 3, UP | RUNNING)]) == [Link("eth1", 3, UP | RUNNING)]


@pytest.mark.parametrize(
    ("listed", "gateways"),
    [
        ([route("192.168.1.1", 2), route("192.168.2.1", 3)], [OFFICE]),
        ([route("192.168.1.1", 3, metric=600), route("192.168.2.1", 3, metric=100)], [OFFICE, HOME]),
        ([route("192.168.2.1", 3, table=100)], [OFFICE]),
        ([route("192.168.1.1", 3, table=100), route("192.168.2.1", 3, metric=900)], [OFFICE, HOME]),
        ([route("192.168.2.1", 3), route("192.168.2.1", 3, table=100)], [OFFICE]),
        ([route("192.168.2.1", 3, prefix=24)], []),
        ([route("192.168.2.1", 3, kind=7)], []),  # unreachable
        ([ways((2, HOME), (3, OFFICE))], [OFFICE]),
        ([], []),
    ],
    ids=[
        "its own",
        "metric",
        "another table",
        "the main table first",
        "once",
        "no default",
        "no way",
        "several",
        "none",
    ],
)
def test_the_default_routes_by_an_interface_name_its_gateways(listed: list[bytes], gateways: list[IPv4Address]) -> None:
    assert parse_default_routes(listed, 3) == gateways


def test_a_default_route_of_ipv6_names_its_gateway() -> None:
    assert parse_default_routes([route("fe80::1", 3)], 3) == [IPv6Address("fe80::1")]


def test_the_addresses_in_use_of_an_interface_come_ipv4_first_and_lasting_ones_first() -> None:
    listed = [
        address("2a00::5", 3, flags=0x01),  # temporary
        address("2a00::4", 3),
        address("2a00::6", 3, flags=0x40),  # tentative
        address("192.168.2.5", 3),
        address("192.168.1.5", 2),
    ]
    assert parse_addresses(listed, 3) == [
        IPv4Address("192.168.2.5"),
        IPv6Address("2a00::4"),
        IPv6Address("2a00::5"),
    ]


def test_what_is_cut_off_is_left_out() -> None:
    whole = attribute(5, HOME.packed) + attribute(6, number(1))
    assert netlink.attributes(whole[:-1]) == {5: HOME.packed}
    message = struct.pack("=IHHII", 20, 24, 0, 1, 0) + b"abcd"
    assert list(netlink.messages(message + message[:-1])) == [(24, b"abcd")]


# What can be used


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Has the kernel list these links and addresses."""

    def listed(*links: bytes, addresses: tuple[bytes, ...] = ()) -> None:
        entries = {netlink.LINKS: list(links), netlink.ADDRESSES: list(addresses), netlink.ROUTES: []}
        monkeypatch.setattr(netlink, "dump", lambda what, _: entries[what])

    return listed


THERE = (link("lo", 1, UP | LOOPBACK | RUNNING), link("eth0", 2, UP | RUNNING), link("wlan0", 3, UP | RUNNING))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("eth7", "there is no interface eth7: use one of eth0, wlan0"),
        ("lo", "lo leads to this host itself, so no gateway is there: use one of eth0, wlan0"),
    ],
)
def test_what_cannot_be_chosen_is_refused_with_what_can(links: Callable[..., None], name: str, told: str) -> None:
    links(*THERE)
    with pytest.raises(SpecError, match=f"^{told}$"):
        require_interface(name, platform="linux")


def test_where_none_can_be_chosen_that_is_said(links: Callable[..., None]) -> None:
    links(THERE[0])
    with pytest.raises(SpecError, match=r"^there is no interface eth7: this computer has none that leads elsewhere$"):
        require_interface("eth7", platform="linux")


def test_an_interface_that_is_there_can_be_chosen(links: Callable[..., None]) -> None:
    links(*THERE)
    require_interface("wlan0", platform="linux")


@pytest.mark.parametrize("platform", ["darwin", "win32", "freebsd14"])
def test_elsewhere_than_on_linux_it_is_refused(platform: str) -> None:
    with pytest.raises(SpecError, match="on Linux only: leave it out, and name the gateway"):
        require_interface("eth0", platform=platform)


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ((), "the interface eth0 is gone"),
        ((link("eth0", 2, RUNNING),), "the interface eth0 is down: bring it up, as by ip link set eth0 up"),
        ((link("eth0", 2, UP),), "the interface eth0 is not connected: is its cable plugged in"),
    ],
)
def test_why_an_interface_is_of_no_use_now_is_told(
    links: Callable[..., None], listed: tuple[bytes, ...], told: str
) -> None:
    links(*listed)
    with pytest.raises(NoGateway, match=f"^{told}"):
        check_usable("eth0")


def test_an_interface_without_an_ipv4_address_serves_ipv6_only(links: Callable[..., None]) -> None:
    links(link("eth0", 2, UP | RUNNING), addresses=(address("2a00::4", 2), address("10.0.0.1", 3)))
    check_usable("eth0")
    with pytest.raises(NoGateway, match="the interface eth0 has no IPv4 address"):
        check_has_ipv4("eth0")


def test_without_a_choice_nothing_is_checked(links: Callable[..., None]) -> None:
    links()
    check_usable(None)
    check_has_ipv4(None)


# On the kernel's own loopback


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        yield sock


@on_linux
def test_a_socket_that_uses_an_interface_is_bound_to_it_and_to_its_address(sock: socket.socket) -> None:
    bind_towards(sock, IPv4Address("127.0.0.9"), "lo")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"
    assert sock.getsockname()[0] == "127.0.0.1"


def test_without_a_choice_the_system_chooses(sock: socket.socket) -> None:
    bind_towards(sock, IPv4Address("127.0.0.9"), None)
    assert sock.getsockname()[1] == 0


@on_linux
def test_an_interface_that_is_gone_is_named_in_the_error(sock: socket.socket) -> None:
    with pytest.raises(OSError, match="the interface gone0 cannot be used: No such device"):
        use_interface(sock, "gone0")
    with pytest.raises(NoGateway, match="the interface gone0 is gone"):
        local_address_to(HOME, "gone0")


@on_linux
def test_loopback_has_its_address_and_no_gateway() -> None:
    assert local_address_to(IPv4Address("127.0.0.9"), "lo") == IPv4Address("127.0.0.1")
    empty: list[Address] = []
    assert default_gateways("lo") == guessed_gateways("lo") == default_gateways6("lo") == empty
    assert global_ipv6_address("lo") is None
    assert not is_on_link(HOME, "lo")


@on_linux
def test_what_loopback_sends_to_itself_leaves_by_loopback() -> None:
    here = IPv4Address("127.0.0.1")
    assert answers_leave_by("lo", here, IPv4Address("127.0.0.9"))
    assert not answers_leave_by("gone0", here, IPv4Address("127.0.0.9"))
