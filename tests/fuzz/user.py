"""What users type and what the system prints: specs, mappings, durations, addresses, the routing table."""

import os
from ipaddress import IPv4Address

from portmap.model import MAX_LIFETIME
from portmap.network.routes import parse_routes
from portmap.syntax.durations import format_duration, parse_duration
from portmap.syntax.mappings import MAX_RANGE, parse_mapping
from portmap.syntax.plugin_specs import parse_backend_spec, parse_spec
from portmap_extip import ExtIp
from portmap_natpmp.argument import parse_gateway
from portmap_upnp import Upnp

NUMBERS = (b"0", b"-1", b"65536", b"9" * 20, b"9" * 4000, b"1e9", b"0x1", b"1_0", "\u0661".encode(), b"\0", b" ")
WORDS = (*NUMBERS, b":", b"/", b"=", b"both", b"tcp", b"d", b"h", b"m", b"s", b"%", b"\n", b"\xff", "\u2028".encode())
ADDRESS_WORDS = (*NUMBERS, b".", b":", b"::", b"%eth0", b"::ffff:", b"[", b"]", b"/24", b"255", b"127.0.0.1")

SPECS = (b"upnp", b"pmp:192.168.1.1", b"upnp:http://192.168.1.1:5000/rootDesc.xml", b"", b"any:", b"extip:::1")
BACKEND_SPECS = (*SPECS, b"pcp,upnp", b"any beyond pmp:192.168.0.1", b"pcp,upnp beyond pcp beyond extip:1.2.3.4")
BACKEND_WORDS = (*WORDS, b" beyond ", b"beyond", b",", b", ", b"any:", b"pmp:192.168.1.1")
MAPPINGS = (
    b"30303",
    b"web=443:8443/tcp",
    b"30303/both",
    b"web=443-452:8443-8452/both",
    b"6881=follow",
    b"a.b-c_d=1:65535/UDP",
    b"=:/",
)
DURATIONS = (b"90", b"90s", b"10m", b"2h", b"1h30m", b"1d2h3m4s", b"0s")
ADDRESSES = (b"192.168.1.1", b"::1", b"::ffff:192.168.1.1", b"fe80::1%eth0", b"[::1]:5351", b"1.2.3.4:5351", b"0.0.0.0")
ROUTES = (
    b"\n".join(
        (
            b"Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
            b"eth0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0",
            b"wlan0\t00000000\t0100000A\t0003\t0\t0\t600\t00000000\t0\t0\t0",
            b"eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n",
        )
    ),
)
ROUTE_WORDS = (*NUMBERS, b"\t", b"\n", b"00000000", b"FFFFFFFF", b"0003", b"\x0b", b"\x85")


def spec(data: bytes) -> None:
    text = os.fsdecode(data)
    found = parse_spec(text)
    assert parse_spec(found.text) == found


def backend_spec(data: bytes) -> None:
    found = parse_backend_spec(os.fsdecode(data))
    assert parse_backend_spec(found.text) == found
    assert all(not hop.beyond for hop in found.beyond)
    assert str(found)


def mapping(data: bytes) -> None:
    requests = parse_mapping(os.fsdecode(data))
    assert 1 <= len(requests) <= 2 * MAX_RANGE
    assert len({request.key for request in requests}) == len(requests)
    assert all(len(request.name) <= 24 for request in requests)


def duration(data: bytes) -> None:
    seconds = parse_duration(os.fsdecode(data), "--lease", longest=MAX_LIFETIME)
    assert 1 <= seconds <= MAX_LIFETIME
    assert parse_duration(format_duration(seconds), "--lease", longest=MAX_LIFETIME) == seconds


def pmp_argument(data: bytes) -> None:
    gateway = parse_gateway(os.fsdecode(data))
    assert isinstance(gateway, IPv4Address)
    assert not gateway.is_unspecified
    assert not gateway.is_multicast


def extip_argument(data: bytes) -> None:
    assert str(ExtIp.from_argument(os.fsdecode(data))).isprintable()


def upnp_argument(data: bytes) -> None:
    assert str(Upnp.from_argument(os.fsdecode(data))).isprintable()


def routes(data: bytes) -> None:
    """No attacker writes this table, but its form is not promised either."""
    gateways = parse_routes(data.decode("ascii", "replace"), "little")
    assert len(set(gateways)) == len(gateways)
