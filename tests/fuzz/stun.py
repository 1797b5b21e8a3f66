"""The STUN plugin's parsers: answers from servers, and what users write."""

import os

from tests.fuzz.user import ADDRESS_WORDS

from portmap.wire.stun.message import BindingRequest, Reflection, Refusal
from portmap.wire.stun.servers import MOST, parse_servers
from portmap_punch.argument import parse_argument

LIMIT = 65507  # no UDP datagram is longer
_ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
_HEAD = bytes.fromhex("2112a442") + _ID

ANSWERS = (
    # RFC 5769 §2.2 and §2.3: SOFTWARE, XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT
    b"\1\1\0\x3c" + _HEAD + bytes.fromhex("8022000b7465737420766563746f7220002000080001a147e112a643")
    + bytes.fromhex("000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"),
    b"\1\1\0\x48" + _HEAD + bytes.fromhex("8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5")
    + bytes.fromhex("bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"),
    b"\1\1\0\x0c" + _HEAD + bytes.fromhex("0001000800018055c0000201"),
    # RFC 5780 §7: MAPPED-ADDRESS, RESPONSE-ORIGIN and OTHER-ADDRESS
    b"\1\1\0\x24" + _HEAD + bytes.fromhex("0001000800018055c0000201802b000800010d96c0000202802c000800010d97c0000203"),
    b"\1\x11\0\x10" + _HEAD + bytes.fromhex("0009000c000004144e6f207468616e6b"),
)  # fmt: skip
ANSWER_WORDS = (
    *(b"\0", b"\xff\xff", b"\x80\x22\0\0", b"\x80\x28\0\4", b"\0\x20\0\x08\0\1", b"\0\x20\0\x14\0\2", b"\0\x09\0\4"),
    *(b"\x80\x2c\0\x08\0\1", b"\x80\x2c\0\x14\0\2", b"\x80\x2b\0\x08\0\1", b"\0\3\0\4", b"\0\x27\0\4"),
    *(b"\1\1", b"\1\x11", _HEAD, b"\x7f\xff\0\0", b"\0\x08\0\0", b"\x21\x12\xa4\x42"),
)
ARGUMENTS = (b"stun.example.org", b"1.2.3.4:3478", b"[::1]:3478+b.example:19302", b"a+b+c+d", b"::1", b"+")
PUNCH_ARGUMENTS = (*ARGUMENTS, b"a.example+b.example?forward=nft", b"[::1]?forward=relay")
ARGUMENT_WORDS = (
    *(b"?", b"forward=", b"nft", b"relay"),
    *ADDRESS_WORDS,
    b"+",
    b"a.",
    b"-",
    b"b" * 63,
    b"[::1]",
    b":3478",
)


def answer(data: bytes) -> None:
    match BindingRequest(_ID).read(data):
        case Reflection(address, _, other):
            for each in (address, other[0] if other else address):
                assert not each.is_unspecified
                assert not each.is_multicast
        case Refusal(code, _):
            assert 300 <= code < 700


def argument(data: bytes) -> None:
    servers = parse_servers(os.fsdecode(data))
    assert 1 <= len(servers) <= MOST
    assert parse_servers("+".join(map(str, servers))) == servers


def punch_argument(data: bytes) -> None:
    found = parse_argument(os.fsdecode(data))
    assert 1 <= len(found.servers) <= MOST
    assert parse_argument(str(found)) == found
