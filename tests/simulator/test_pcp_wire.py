"""PCP on the wire, field by field: RFC 6887 §7, §11.1, §13."""

from ipaddress import IPv6Address

import pytest

from portmap.simulator.pcp.packets import (
    Announce,
    Answer,
    Filter,
    MalformedOption,
    Map,
    Option,
    PcpResult,
    UnsupportedPcpRequest,
    mapped,
    read,
    read_options,
)

HEAD = "02 01 0000  00000e10  00000000000000000000ffff 7f000001"
BODY = "0102030405060708090a0b0c  11 000000  1f90 0050  00000000000000000000ffff 01020304"
LOOPBACK = mapped("127.0.0.1")
NONCE = bytes(range(1, 13))
REQUEST = Map(LOOPBACK, 3600, NONCE, 17, 8080, 80, mapped("1.2.3.4"))


def message(*parts: str) -> bytes:
    return bytes.fromhex("".join(parts))


def test_a_map_request_has_these_fields() -> None:
    assert read(message(HEAD, BODY)) == REQUEST


def test_the_body_of_a_map_request_comes_back_as_it_came() -> None:
    assert REQUEST.encode_body() == message(BODY)


def test_lifetime_zero_is_counted_as_a_deletion() -> None:
    request = read(message(HEAD.replace("00000e10", "00000000"), BODY))
    assert request is not None
    assert request.heard == "pcp_unmap"


def test_announce_is_the_header_alone() -> None:
    assert read(message(HEAD.replace("02 01", "02 00"))) == Announce(LOOPBACK)


def test_options_follow_padded_to_four() -> None:
    request = read(message(HEAD, BODY, "02 00 0000", "80 00 0005 6162636465 000000"))
    assert isinstance(request, Map)
    assert request.options == (Option(2), Option(128, b"abcde"))
    assert request.encode_body() == message(BODY, "02 00 0000", "80 00 0005 6162636465 000000")


@pytest.mark.parametrize("text", ["02", "02 00", "02 00 00", "80 00 0001", "80 00 ffff 00000000"])
def test_an_option_that_does_not_fit_is_malformed(text: str) -> None:
    with pytest.raises(MalformedOption):
        read_options(message(text))


def test_a_request_with_a_malformed_option_deserves_that_error() -> None:
    request = read(message(HEAD, BODY, "80 00 ffff 00000000"))
    assert isinstance(request, UnsupportedPcpRequest)
    assert request.result is PcpResult.MALFORMED_OPTION


def test_options_below_128_are_mandatory() -> None:
    assert [Option(code).mandatory for code in (1, 127, 128, 255)] == [True, True, False, False]


def test_a_filter_has_a_prefix_a_port_and_a_peer() -> None:
    data = message("00 80 01bb 00000000000000000000ffff c6336401")
    assert Filter.read(data) == Filter(128, 443, mapped("198.51.100.1"))


@pytest.mark.parametrize("text", ["", "00", "00 81 01bb 00000000000000000000ffff c6336401"])
def test_a_filter_of_another_length_or_prefix_is_malformed(text: str) -> None:
    with pytest.raises(MalformedOption):
        Filter.read(message(text))


@pytest.mark.parametrize("text", ["", "02", "02 81" + "00" * 58, "02 01 0000 00000e10", "02 00" + "00" * 21], ids=len)
def test_answers_and_stumps_are_dropped(text: str) -> None:
    assert read(message(text)) is None


@pytest.mark.parametrize(
    ("data", "result"),
    [
        (message("01 01"), PcpResult.UNSUPP_VERSION),
        (message("03 00", "00" * 22), PcpResult.UNSUPP_VERSION),
        (message(HEAD, "00"), PcpResult.MALFORMED_REQUEST),
        (message(HEAD, BODY, "00" * 1044), PcpResult.MALFORMED_REQUEST),
        (message(HEAD, "00" * 32), PcpResult.MALFORMED_REQUEST),
        (message(HEAD.replace("02 01", "02 03")), PcpResult.UNSUPP_OPCODE),
        (message(HEAD.replace("02 01", "02 7f")), PcpResult.UNSUPP_OPCODE),
    ],
    ids=["version-1", "version-3", "no-multiple-of-4", "too-long", "short-map", "opcode-3", "opcode-127"],
)
def test_what_cannot_be_understood_deserves_an_error(data: bytes, result: PcpResult) -> None:
    request = read(data)
    assert isinstance(request, UnsupportedPcpRequest)
    assert request.result is result


def test_no_more_than_1100_bytes_are_copied_from_a_request() -> None:
    request = read(message(HEAD, BODY, "00" * 2000))
    assert isinstance(request, UnsupportedPcpRequest)
    assert len(request.body) == 1100 - 24


def test_an_answer_has_these_fields() -> None:
    answer = Answer(1, PcpResult.NO_RESOURCES, 30, 7, b"body")
    assert answer.encode() == message("02 81 00 08  0000001e 00000007  000000000000000000000000") + b"body"


def test_an_ipv4_address_travels_in_its_mapped_form() -> None:
    assert mapped("1.2.3.4") == IPv6Address("::ffff:1.2.3.4")
