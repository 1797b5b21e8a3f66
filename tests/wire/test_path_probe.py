"""The router that drops a datagram tells its address: the kernel's message, taken apart. The lab has the real one."""

import struct
import sys
from ipaddress import IPv4Address

import pytest

from portmap.wire.path_probe import parse_error, router_at

ROUTER = IPv4Address("192.168.0.1")
ICMP, LOCAL, TIME_EXCEEDED, UNREACHABLE, AF_INET = 2, 1, 11, 3, 2


def told(origin: int = ICMP, kind: int = TIME_EXCEEDED, family: int = AF_INET) -> bytes:
    """A `sock_extended_err` and the `sockaddr_in` behind it: linux/errqueue.h."""
    return struct.pack("=IBBBxIIHH4s8x", 113, origin, kind, 0, 0, 0, family, 0, ROUTER.packed)


def test_a_ttl_that_ran_out_tells_the_router() -> None:
    assert parse_error(told()) == ROUTER


@pytest.mark.parametrize(
    "data",
    [told(origin=LOCAL), told(kind=UNREACHABLE), told(family=10), told()[:20], b""],
    ids=["of this host", "unreachable", "IPv6", "cut short", "empty"],
)
def test_any_other_error_tells_no_router(data: bytes) -> None:
    assert parse_error(data) is None


def test_where_the_system_cannot_tell_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert router_at(2) is None
