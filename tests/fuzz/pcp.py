"""The PCP plugin's parsers: datagrams from the gateway, announcements, tokens from the journal, what users write."""

import os
import struct
from ipaddress import IPv4Address, IPv6Address

from tests.fuzz import natpmp

from portmap.errors import Refused
from portmap.model import Address, Protocol
from portmap_pcp.announcement import read_announcement
from portmap_pcp.argument import parse_gateway
from portmap_pcp.natpmp_address import AddressQuestion
from portmap_pcp.nonces import Nonces
from portmap_pcp.options import PREFER_FAILURE, read_options
from portmap_pcp.packets import Announce, Announced, Map, Mapped, NatPmpOnly, No, Refusal
from portmap_pcp.results import LONGEST_WAIT, refused

LIMIT = 1200  # bytes: more than the 1100 that a packet may have (RFC 6887 §7)
_NONCE = b"made by hand"
_HERE, _HERE6, _SERVER = IPv4Address("192.168.1.2"), IPv6Address("2a00:77::2"), IPv4Address("192.168.1.1")
_MAP = struct.Struct("!12sB3xHH16s")
_OUTSIDE = IPv6Address("::ffff:203.0.113.7").packed


def _answer(opcode: int, result: int = 0, lifetime: int = 600, body: bytes = b"") -> bytes:
    return struct.pack("!BBxBII12x", 2, 0x80 | opcode, result, lifetime, 1000) + body


_MAPPED = _MAP.pack(_NONCE, 6, 30303, 30303, _OUTSIDE)
SEEDS = (
    _answer(0, lifetime=0),
    _answer(1, body=_MAPPED),
    _answer(1, body=_MAPPED + PREFER_FAILURE.to_bytes()),
    _answer(1, body=_MAPPED + b"\xc8\0\0\4????"),
    _answer(1, result=2, lifetime=1800, body=_MAPPED),
    _answer(1, result=11, lifetime=30),
    _answer(1, lifetime=0, body=_MAPPED),
    struct.pack("!BBHI", 0, 0, 1, 1000),  # NAT-PMP only, RFC 6886 §3.5
    struct.pack("!BBxBI", 3, 0x81, 1, 0) + bytes(16),  # a version to come
)
WORDS = (
    *(b"\0", b"\xff", b"\2\x80", b"\2\x81", b"\0\0\0\1", b"\xff\xff\xff\xff", b"\x76\x5f", _NONCE, _OUTSIDE),
    *(b"\2\0\0\0", b"\3\0\0\x14" + bytes(20), b"\x80\0\xff\xff", b"\xc8\0\0\4????", bytes(4)),
)
STATED = (*natpmp.SEEDS, _answer(0, result=1))
TOKENS = (b"0123456789abcdef01234567", b"0" * 24, b"F" * 24, b"")
TOKEN_WORDS = (b"0", b"f", b"g", b" ", b"\n", "\u0661".encode(), b"\0")
ARGUMENTS = (b"192.168.1.1", b"fe80::1%eth0", b"::ffff:192.168.1.1", b"2a00:77::1", b"fe80::1", b"192.168.1.1:5351")


def announced(data: bytes) -> None:
    match Announce(_HERE).read(data):
        case Announced(epoch):
            assert 0 <= epoch < 2**32
        case no:
            _is_told(no)


def mapped(data: bytes) -> None:
    for client, options in ((_HERE, ()), (_HERE6, (PREFER_FAILURE,))):
        match Map(client, _NONCE, Protocol.TCP, 30303, 30303, None, 600, options).read(data):
            case Mapped(epoch, lifetime, external_port, external_ip):
                assert data[24:36] == _NONCE
                assert (data[36], data[40:42]) == (6, b"\x76\x5f")
                assert min(epoch, lifetime, external_port) >= 0
                assert isinstance(external_ip, Address)
            case no:
                _is_told(no)


def options(data: bytes) -> None:
    """Whatever they are, they are no longer than what they are in."""
    assert sum(4 + len(option.data) for option in read_options(data)) <= len(data)


def announcement(data: bytes) -> None:
    assert 0 <= read_announcement(data) < 2**32


def stated(data: bytes) -> None:
    found = AddressQuestion().read(data)
    assert found.external_ip is None or (found.result, data[0]) == (0, 0)


def token(data: bytes) -> None:
    """One token, one nonce; whatever it is."""
    nonces, text = Nonces(), data.decode("utf-8", "replace")
    nonce = nonces.of((_SERVER, _HERE, Protocol.TCP, 30303), text)
    assert len(nonce) == 12
    assert nonces.of((_SERVER, _HERE, Protocol.TCP, 30303), "") == nonce
    assert nonces.of((_SERVER, _HERE, Protocol.UDP, 30303), text) != nonce


def argument(data: bytes) -> None:
    gateway = parse_gateway(os.fsdecode(data))
    assert not gateway.is_unspecified
    assert not gateway.is_multicast
    assert str(gateway).isprintable()


def _is_told(no: No) -> None:
    """A refusal becomes an error with words, and a wait that ends."""
    if isinstance(no, NatPmpOnly):
        return
    assert isinstance(no, Refusal)
    error = refused(_SERVER, no)
    assert isinstance(error, Refused)
    assert error.code == no.result != 0
    assert 0 <= error.retry_after <= LONGEST_WAIT
