"""Ring 1: `[NAME=][EXT:]INT[/tcp|udp|both]`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import SpecError
from portmap.model import PortRequest, Protocol
from portmap.requests import check_distinct, parse_mapping, parse_mappings, requests_of

TCP, UDP = Protocol.TCP, Protocol.UDP


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        ("8080", (PortRequest(TCP, 8080),)),
        ("8080/tcp", (PortRequest(TCP, 8080),)),
        ("53/udp", (PortRequest(UDP, 53),)),
        ("53/UDP", (PortRequest(UDP, 53),)),
        ("30303/both", (PortRequest(TCP, 30303), PortRequest(UDP, 30303))),
        ("443:8443", (PortRequest(TCP, 8443, 443),)),
        ("443:8443/udp", (PortRequest(UDP, 8443, 443),)),
        ("web=443:8443", (PortRequest(TCP, 8443, 443, "web"),)),
        ("a.b_c-1=1", (PortRequest(TCP, 1, name="a.b_c-1"),)),
        ("65535", (PortRequest(TCP, 65535),)),
        ("00080", (PortRequest(TCP, 80),)),
        ("0000000000080", (PortRequest(TCP, 80),)),
    ],
)
def test_the_form_is_understood(text: str, requests: tuple[PortRequest, ...]) -> None:
    assert parse_mapping(text) == requests


@pytest.mark.parametrize("text", ["0", "65536", "65536:80", "80:0", "80:65536", "000000", "99999/both"])
def test_a_port_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="out of range: use 1 to 65535"):
        parse_mapping(text)


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 5000 + ":80", "80:" + "9" * 5000])
def test_a_huge_number_is_refused_without_ado(text: str) -> None:
    with pytest.raises(SpecError, match="port 999999999999 is out of range"):
        parse_mapping(text)


@pytest.mark.parametrize(
    "text",
    ["", ":", "a:b", "80:", ":80", "http", "-80", "+80", "8 0", " 80", "80 ", "80\n", "80\x00", "0x50", "8_0", "1e3"],
)
def test_what_has_no_port_where_one_is_due_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(SpecError, match=r"write \[NAME=\]"):
        parse_mapping(text)


@pytest.mark.parametrize("text", ["\u0668\u0660", "\uff18\uff10", "\u00b2", "80:\u0668\u0660", "\U0001d7d9"])
def test_other_scripts_digits_are_no_port(text: str) -> None:
    with pytest.raises(SpecError, match="where a port is due"):
        parse_mapping(text)


@pytest.mark.parametrize("text", ["web=", "80.0", "1:2:3", "80/tcp/udp", "a=b=80", "80/tcp:80", "80/tcp\n"])
def test_parts_in_the_wrong_place_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        parse_mapping(text)


@pytest.mark.parametrize("text", ["80/sctp", "80/", "80/tcp ", "80/tcp,udp", "80/\uff34\uff23\uff30", "80/all"])
def test_an_unknown_protocol_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="use tcp, udp or both"):
        parse_mapping(text)


@pytest.mark.parametrize(
    "text", ["=80", "a b=80", "-x=80", "ä=80", "x" * 25 + "=80", "a<b=80", "a/b=80", "a:b=80", "a\n=80", "a\x00=80"]
)
def test_a_name_that_a_router_may_choke_on_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="unusable name"):
        parse_mapping(text)


def test_a_lifetime_is_asked_for_where_one_is_given() -> None:
    assert parse_mapping("80", lifetime=20) == (PortRequest(TCP, 80, lifetime=20),)


def test_several_mappings_make_one_list_in_order() -> None:
    assert [request.key for request in parse_mappings(["80", "53/both"])] == [(TCP, 80), (TCP, 53), (UDP, 53)]


def test_one_port_number_for_two_protocols_is_no_repetition() -> None:
    assert len(parse_mappings(["53/tcp", "53/udp"])) == 2


@pytest.mark.parametrize("texts", [("80", "80"), ("80", "81:80"), ("53/both", "53/udp"), ("a=80", "b=80")])
def test_a_port_asked_for_twice_is_refused(texts: tuple[str, str]) -> None:
    with pytest.raises(SpecError, match="is asked for twice: drop one"):
        parse_mappings(texts)


@pytest.mark.parametrize("texts", [("443:80", "443:81"), ("443", "443:81"), ("443:81", "443"), ("9:80/both", "9:81")])
def test_two_mappings_cannot_want_one_external_port(texts: tuple[str, str]) -> None:
    with pytest.raises(SpecError, match="want the external port"):
        parse_mappings(texts)


def test_requests_made_by_hand_are_checked_alike() -> None:
    with pytest.raises(SpecError, match="twice"):
        check_distinct([PortRequest(TCP, 80), PortRequest(TCP, 80, 81)])


def test_a_request_made_by_hand_is_taken_as_it_is() -> None:
    request = PortRequest(UDP, 53, 5353, "dns", 20)
    assert requests_of(request, lifetime=600) == (request,)


@given(st.text() | st.from_regex(r"[a-z=:/0-9]{0,20}"))
def test_any_text_is_a_request_or_a_spec_error(text: str) -> None:
    try:
        requests = parse_mapping(text)
    except SpecError:
        return
    assert all(1 <= request.internal_port <= 65535 for request in requests)


@given(st.integers(1, 65535), st.integers(1, 65535), st.sampled_from(["tcp", "udp"]))
def test_what_is_written_is_what_is_asked_for(external: int, internal: int, protocol: str) -> None:
    (request,) = parse_mapping(f"{external}:{internal}/{protocol}")
    assert (request.external_port, request.internal_port, request.protocol) == (external, internal, protocol.upper())
