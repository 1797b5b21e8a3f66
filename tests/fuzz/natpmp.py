"""The NAT-PMP plugin's parsers: datagrams from the gateway."""

import struct

from portmap.errors import Refused
from portmap.model import Protocol
from portmap_natpmp.announcement import read_announcement
from portmap_natpmp.packets import AddressAnswer, AddressRequest, MappingAnswer, MappingRequest, Refusal
from portmap_natpmp.results import refused

SEEDS = (
    struct.pack("!BBHI4B", 0, 128, 0, 1000, 203, 0, 113, 7),
    struct.pack("!BBHIHHI", 0, 129, 0, 1000, 30303, 30303, 600),
    struct.pack("!BBHIHHI", 0, 130, 0, 1000, 30303, 40404, 7200),
    struct.pack("!BBHIHHI", 0, 130, 2, 1000, 30303, 0, 0),
    struct.pack("!BBHI", 0, 0, 1, 1000),  # RFC 6886 §3.5: unsupported version
    struct.pack("!BBHI", 2, 128, 1, 0) + bytes(16),  # the same from a PCP gateway, RFC 6887 §9
)
ANNOUNCEMENTS = (SEEDS[0], struct.pack("!BBxBII12x", 2, 128, 0, 0, 1000))
WORDS = (b"\0", b"\xff\xff\xff\xff", b"\x80", b"\x81", b"\x82", b"\0\1", b"\x76\x5f")


def address(data: bytes) -> None:
    match AddressRequest().read(data):
        case AddressAnswer(epoch, external_ip):
            assert 0 <= epoch < 2**32
            assert external_ip.packed == data[8:12]
        case refusal:
            _is_told(refusal)


def announcement(data: bytes) -> None:
    assert 0 <= read_announcement(data) < 2**32


def mapping(data: bytes) -> None:
    match MappingRequest(Protocol.TCP, 30303, 30303, 600).read(data):
        case MappingAnswer(epoch, external_port, lifetime):
            assert (data[1], data[8:10]) == (130, b"\x76\x5f")
            assert 0 <= epoch < 2**32
            assert 0 <= external_port < 2**16
            assert 0 <= lifetime < 2**32
        case refusal:
            _is_told(refusal)


def _is_told(refusal: Refusal) -> None:
    """A refusal has a code and becomes an error with words."""
    error = refused("NAT-PMP 192.168.1.1", refusal.result, AddressRequest())
    assert isinstance(error, Refused)
    assert error.code == refusal.result != 0
    assert error.text
