import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pcp.conftest import announced, mapped, refused

from portmap.errors import Garbled
from portmap.model import Protocol
from portmap.simulator.pcp import packets as router
from portmap_pcp.announcement import ANNOUNCED_AT, ANNOUNCED_AT_6, read_announcement
from portmap_pcp.options import PREFER_FAILURE, Option, read_options
from portmap_pcp.packets import PORT, Announce, Announced, Map, Mapped, NatPmpOnly, Refusal, from_wire, to_wire

US, US6 = IPv4Address("192.168.1.7"), IPv6Address("2a00:77::2")
NONCE = bytes(range(12))
ANNOUNCE = Announce(US)
MAP = Map(US, NONCE, Protocol.TCP, 30303, 30303, lifetime=600)


def answer(text: str, nonce: bytes = NONCE) -> bytes:
    """The datagram that a line of a peer's script stands for."""
    return bytes.fromhex(text.replace("N", nonce.hex()))


# requests


def test_the_ports_are_those_of_rfc_6887() -> None:
    assert (PORT, ANNOUNCED_AT, ANNOUNCED_AT_6) == (5351, (("224.0.0.1", 5350),), (("ff02::1", 5350),))


def test_an_announce_is_a_header_with_our_address_in_it() -> None:
    # version 2, opcode 0, reserved, no lifetime, ::ffff:192.168.1.7
    assert ANNOUNCE.to_bytes() == bytes.fromhex("02 00 0000 00000000 00000000000000000000ffffc0a80107")


def test_a_map_request_field_by_field() -> None:
    request = Map(US, NONCE, Protocol.TCP, 30303, 40404, IPv4Address("203.0.113.7"), 600)
    assert request.to_bytes() == bytes.fromhex(
        "02 01 0000 00000258 00000000000000000000ffffc0a80107"  # version, opcode, 600 s, our address
        "000102030405060708090a0b 06 000000 765f 9dd4"  # nonce, TCP, internal, external
        "00000000000000000000ffffcb007107"  # suggested address
    )


def test_udp_is_protocol_17() -> None:
    assert Map(US, NONCE, Protocol.UDP, 30303).to_bytes()[36] == 17


def test_without_a_suggested_address_it_is_the_unspecified_one_of_our_ip_version() -> None:
    assert MAP.to_bytes()[44:] == IPv6Address("::ffff:0.0.0.0").packed
    assert Map(US6, NONCE, Protocol.TCP, 30303).to_bytes()[44:] == bytes(16)


def test_a_deletion_has_lifetime_port_and_address_0() -> None:
    request = Map(US, NONCE, Protocol.TCP, 30303).to_bytes()
    assert (request[4:8], request[42:44], request[44:]) == (bytes(4), bytes(2), IPv6Address("::ffff:0.0.0.0").packed)


def test_prefer_failure_is_an_empty_option_behind_the_mapping() -> None:
    request = Map(US, NONCE, Protocol.TCP, 30303, 30303, lifetime=600, options=(PREFER_FAILURE,))
    assert request.to_bytes()[60:] == bytes.fromhex("02 00 0000")


def test_an_option_is_padded_to_four_bytes() -> None:
    assert Option(200, b"abcde").to_bytes() == bytes.fromhex("c8 00 0005 6162636465 000000")


def test_every_option_is_read_as_it_was_written() -> None:
    options = [PREFER_FAILURE, Option(200, b"abcde"), Option(7, b"abcd")]
    assert list(read_options(b"".join(option.to_bytes() for option in options))) == options


@given(
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from(Protocol),
    st.integers(1, 65535),
    st.integers(0, 65535),
    st.ip_addresses(),
)
def test_the_simulated_router_reads_what_we_write(
    lifetime: int, protocol: Protocol, internal: int, external: int, client: IPv4Address | IPv6Address
) -> None:
    request = Map(client, NONCE, protocol, internal, external, lifetime=lifetime, options=(PREFER_FAILURE,))
    read = router.read(request.to_bytes())
    assert isinstance(read, router.Map)
    assert (read.client.packed, read.lifetime, read.nonce) == (to_wire(client), lifetime, NONCE)
    assert (read.internal_port, read.external_port) == (internal, external)
    assert [option.code for option in read.options] == [PREFER_FAILURE.code]


# addresses


def test_ipv4_is_only_what_all_96_bits_say() -> None:
    assert from_wire(IPv6Address("::ffff:203.0.113.7").packed) == IPv4Address("203.0.113.7")
    for other in ("::203.0.113.7", "1::ffff:203.0.113.7", "::fffe:203.0.113.7", "64:ff9b::203.0.113.7"):
        assert from_wire(IPv6Address(other).packed) == IPv6Address(other)


def test_a_zone_never_leaves_the_host() -> None:
    assert to_wire(IPv6Address("fe80::1%eth0")) == IPv6Address("fe80::1").packed


# answers


def test_an_announce_answer_tells_the_epoch() -> None:
    assert ANNOUNCE.read(answer(announced(3600))) == Announced(3600)


def test_a_map_answer_field_by_field() -> None:
    datagram = answer(mapped(40404, 300, epoch=3600))
    assert MAP.read(datagram) == Mapped(3600, 300, 40404, IPv4Address("203.0.113.7"))


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_every_good_answer_is_read_as_it_was_written(epoch: int, port: int, lifetime: int) -> None:
    datagram = answer(mapped(port, lifetime, epoch=epoch))
    assert MAP.read(datagram) == Mapped(epoch, lifetime, port, IPv4Address("203.0.113.7"))


@pytest.mark.parametrize(
    "tail",
    [
        "c8 00 0001 61000000",  # an unknown option that may be skipped
        "ff 00 0000 80 00 0000",  # two of them
        "00000000 00000000",  # padding
        "c8 00 ffff",  # an option that is longer than the datagram
    ],
)
def test_what_follows_a_mapping_is_skipped(tail: str) -> None:
    assert isinstance(MAP.read(answer(mapped() + tail)), Mapped)


def test_an_option_that_was_asked_for_may_come_back() -> None:
    asking = Map(US, NONCE, Protocol.TCP, 30303, 30303, lifetime=600, options=(PREFER_FAILURE,))
    assert isinstance(asking.read(answer(mapped() + "02 00 0000")), Mapped)


def test_an_option_that_must_be_understood_and_was_not_asked_for_is_garbled() -> None:
    with pytest.raises(Garbled, match="option 1"):
        MAP.read(answer(mapped() + "01 00 0010" + "00" * 16))  # THIRD_PARTY: a mapping for another host


@pytest.mark.parametrize("result", [1, 2, 4, 8, 12, 77])
def test_a_refusal_may_end_after_its_header(result: int) -> None:
    assert MAP.read(answer(refused(result, 30))) == Refusal(5, result, 30)


def test_a_refusal_may_end_anywhere_before_the_end_of_the_copy() -> None:
    assert MAP.read(answer(refused(8, 30)) + bytes(20)) == Refusal(5, 8, 30)


def test_a_complete_refusal_is_for_us() -> None:
    body = MAP.to_bytes()[24:]
    assert MAP.read(answer(refused(8, 30)) + body) == Refusal(5, 8, 30, has_nonce=True)
    with pytest.raises(Garbled, match="another nonce"):
        MAP.read(answer(refused(8, 30)) + bytes(12) + body[12:])


@pytest.mark.parametrize(
    "datagram",
    [
        "00 00 0001 00000e10",  # RFC 6886 §3.5 draws it with opcode 0, the answer bit clear
        "00 80 0001 00000e10",
        "00 81 0001 00000e10",
        "00 01 0001 00000e10",
        "00 00 0001",
        "00 00 0001 00000e10" + "00" * 16,
    ],
)
def test_a_server_that_speaks_natpmp_only_is_known_by_the_version_first(datagram: str) -> None:
    assert MAP.read(answer(datagram)) == ANNOUNCE.read(answer(datagram)) == NatPmpOnly()


def test_another_version_of_pcp_is_a_refusal_without_an_epoch() -> None:
    assert MAP.read(answer("03 81 0001 00000000 00000e10" + "00" * 12)) == Refusal(None, 1)


@pytest.mark.parametrize(
    ("datagram", "complaint"),
    [
        ("", "0 bytes"),
        ("02 81 00", "3 bytes"),
        ("02 81 00 00", "4 bytes"),
        (refused(2)[:-2], "23 bytes"),
        (refused(0), "24 bytes"),  # a success cannot end here
        (mapped()[:-8], "56 bytes"),
        (mapped() + "00", "61 bytes"),  # no multiple of four: §8.3
        (mapped() + "00" * 1044, "1104 bytes"),  # longer than any: §7
        (announced(), "opcode 128"),
        ("02 01" + mapped()[5:], "opcode 1,"),  # no answer bit
        ("01 81" + mapped()[5:], "version 1"),
        ("03 81" + mapped()[5:], "version 3"),
        ("03 01 0001 00000000", "version 3"),  # no answer bit
        ("00 80 0000 00000005 cb007107", "version 0"),  # NAT-PMP's good answer, which was not asked for
        (mapped(nonce="ff" * 12), "another nonce"),
        (mapped(protocol=17), "protocol 17"),
        (mapped(internal=30302), "internal port 30302"),
        (mapped(internal=0), "internal port 0"),
    ],
)
def test_what_is_no_answer_to_a_map_request_is_garbled(datagram: str, complaint: str) -> None:
    with pytest.raises(Garbled, match=complaint):
        MAP.read(answer(datagram))


def test_our_own_request_sent_back_is_no_answer() -> None:
    for request in (ANNOUNCE, MAP):
        with pytest.raises(Garbled):
            request.read(request.to_bytes())


def test_a_nonce_is_never_told() -> None:
    with pytest.raises(Garbled) as caught:
        MAP.read(answer(mapped(nonce="ab" * 12)))
    assert "ab" * 4 not in str(caught.value)
    assert NONCE.hex() not in str(caught.value)


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=80).map(lambda tail: b"\2\x81\0\0" + tail)))
def test_no_bytes_raise_anything_but_garbled(datagram: bytes) -> None:
    for request in (ANNOUNCE, MAP):
        try:
            request.read(datagram)
        except Garbled as error:
            assert str(error).startswith("the answer ")  # noqa: PT017  # either outcome is right


# announcements


def test_an_announcement_is_an_unasked_announce_answer() -> None:
    assert read_announcement(answer(announced(7))) == 7


def test_nat_pmps_announcement_of_an_address_is_one_too() -> None:
    assert read_announcement(bytes.fromhex("00 80 0000 00000007 cb007107")) == 7


def test_a_refusal_tells_the_address_that_the_server_had_for_the_mapping() -> None:
    body = MAP.to_bytes()[24:44] + IPv6Address("::ffff:100.64.1.1").packed
    assert MAP.read(answer(refused(8, 30)) + body) == Refusal(5, 8, 30, IPv4Address("100.64.1.1"), has_nonce=True)


@pytest.mark.parametrize(
    "datagram",
    [
        "",
        "02 80 00 00",
        announced(result=3),
        refused(0),
        "00 80 0003 00000005 00000000",
        "00 81 0000 00000005" + "00" * 8,
    ],
)
def test_what_announces_nothing_is_garbled(datagram: str) -> None:
    with pytest.raises(Garbled):
        read_announcement(answer(datagram))


@given(st.binary(max_size=60))
def test_no_announcement_raises_anything_but_garbled(datagram: bytes) -> None:
    try:
        assert read_announcement(datagram) == struct.unpack_from("!I", datagram, 8)[0]
    except Garbled as error:
        assert str(error)  # noqa: PT017  # as above
