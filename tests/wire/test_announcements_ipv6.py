"""The listener of `portmap.wire` on IPv6; on IPv4 it is tested with NAT-PMP."""

import logging
import socket
from ipaddress import IPv6Address
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from tests.pcp.conftest import HERE6, announced

from portmap.wire import AnnouncementListener, Peer, multicast
from portmap_pcp.announcement import GROUP6, read_announcement

if TYPE_CHECKING:
    from tests.pcp.conftest import Announce

LOOPBACK = socket.if_nameindex()[0][1] if hasattr(socket, "if_nameindex") else ""


def listen(at: Peer, expected: IPv6Address, heard: "SimpleQueue[IPv6Address]") -> AnnouncementListener:
    return AnnouncementListener(
        [at], lambda: [expected], read_announcement, lambda gateway, _, __: heard.put(gateway), lambda: 0.0, lambda: 0.0
    )


def test_an_announcement_is_verified(announced_at_6: Peer, announce: "Announce") -> None:
    heard: SimpleQueue[IPv6Address] = SimpleQueue()
    listener = listen(announced_at_6, HERE6, heard)
    announce(announced_at_6, "ff" * 30, announced())
    assert heard.get(timeout=5) == HERE6
    listener.close()


def test_the_group_is_shared_and_joined_without_a_word(announced_at_6: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "portmap.wire")
    several = [listen((GROUP6, announced_at_6[1]), HERE6, SimpleQueue()) for _ in range(3)]
    for listener in several:
        listener.join_towards(IPv6Address(f"fe80::1%{LOOPBACK}"))
        listener.join_towards(IPv6Address(f"fe80::1%{LOOPBACK}"))
        listener.close()
    assert caplog.records == []


def test_a_group_that_cannot_be_joined_is_logged_only(announced_at_6: Peer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "portmap.wire")
    listener = listen((GROUP6, announced_at_6[1]), HERE6, SimpleQueue())
    listener.join_towards(IPv6Address("fe80::1%4294967295"))
    listener.close()
    assert "could not join ff02::1" in caplog.text


def test_groups_of_both_ip_versions_are_joined_each_on_its_own_network(
    announced_at_6: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "portmap.wire")
    port = announced_at_6[1]
    listener = AnnouncementListener(
        [("224.0.0.1", port), (GROUP6, port)], lambda: [HERE6], read_announcement, lambda _, __, ___: None, lambda: 0.0
    )
    listener.join_towards(HERE6)
    listener.close()
    assert caplog.records == []


def test_a_zone_is_the_same_by_name_and_by_number() -> None:
    number = socket.if_nametoindex(LOOPBACK)
    named = multicast.with_numeric_zone(IPv6Address(f"fe80::1%{LOOPBACK}"))
    assert named == multicast.with_numeric_zone(IPv6Address(f"fe80::1%{number}")) == IPv6Address(f"fe80::1%{number}")


@pytest.mark.parametrize("zone", ["no-such-zone", "99999999999999999999", "a\x00b", "-1"])
def test_an_unknown_zone_is_no_error(zone: str) -> None:
    assert isinstance(multicast.with_numeric_zone(IPv6Address(f"fe80::1%{zone}")), IPv6Address)


def test_an_address_without_a_zone_is_itself() -> None:
    assert multicast.with_numeric_zone(HERE6) == HERE6
