"""What Linux says of an interface's addresses."""

import struct
import sys

import pytest

if sys.platform != "linux":
    pytest.skip("Linux only", allow_module_level=True)

from portmap_extip.linux_addresses import addresses_of, parse_if_inet6, parse_ifconf

UNION = struct.calcsize("LLHBBB0L")
TABLE = """\
00000000000000000000000000000001 01 80 10 80       lo
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
26064700000000000000000000000009 04 40 00 01     eth0
26064700000000000000000000000008 04 40 00 20     eth0
26064700000000000000000000000001 04 40 00 80     eth0
26064700000000000000000000000007 05 40 00 80     eth1
fd000000000000000000000000000002 04 40 00 82     eth0
"""


def entry(label: str, address: str) -> bytes:
    """One struct ifreq."""
    packed = bytes(map(int, address.split(".")))
    return struct.pack("16s", label.encode()) + struct.pack("=HH4s", 2, 0, packed).ljust(UNION, b"\0")


def test_loopback_has_its_address() -> None:
    assert "127.0.0.1" in map(str, addresses_of("lo"))


def test_an_interface_that_is_not_there_has_none() -> None:
    assert addresses_of("nosuch0") == []


def test_all_of_an_interfaces_ipv4_addresses_are_told_labelled_ones_too() -> None:
    told = entry("eth0", "10.0.0.5") + entry("eth1", "9.9.9.9") + entry("eth0:1", "1.2.3.4") + entry("eth0", "5.6.7.8")
    assert [str(address) for address in parse_ifconf(told, "eth0")] == ["10.0.0.5", "1.2.3.4", "5.6.7.8"]


def test_a_label_can_be_asked_for_by_itself() -> None:
    told = entry("eth0", "10.0.0.5") + entry("eth0:1", "1.2.3.4")
    assert [str(address) for address in parse_ifconf(told, "eth0:1")] == ["1.2.3.4"]


def test_half_an_entry_is_none() -> None:
    assert list(parse_ifconf(entry("eth0", "1.2.3.4")[:-1], "eth0")) == []


def test_global_ipv6_addresses_in_use_are_told_lasting_ones_first() -> None:
    told = [str(address) for address in parse_if_inet6(TABLE, "eth0")]
    assert told == ["2606:4700::1", "fd00::2", "2606:4700::9"]


def test_a_line_that_is_none_is_skipped() -> None:
    assert parse_if_inet6("nonsense\n" + TABLE, "eth1") != []
