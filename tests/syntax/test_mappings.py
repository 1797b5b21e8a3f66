"""Ring 1: `[NAME=][EXT:]INT[@HOST][/tcp|udp|both]`, INT a port, a range or `[PORT=]follow`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import SpecError
from portmap.model import Key, PortRequest, Protocol
from portmap.syntax.mappings import check_distinct, parse_mapping, parse_mappings, to_requests

TCP, UDP = Protocol.TCP, Protocol.UDP


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        ("8080", (PortRequest(TCP, 8080),)),
        ("8080/tcp", (PortRequest(TCP, 8080),)),
        ("53/udp", (PortRequest(UDP, 53),)),
        ("53/UDP", (PortRequest(UDP, 53),)),
        ("30303/both", (PortRequest(TCP, 30303, paired=True), PortRequest(UDP, 30303, paired=True))),
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


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("27015-27017", [(27015, 0), (27016, 0), (27017, 0)]),
        ("27015-27015", [(27015, 0)]),
        ("40000:27015-27017", [(27015, 40000), (27016, 40001), (27017, 40002)]),
        ("40000-40002:27015-27017", [(27015, 40000), (27016, 40001), (27017, 40002)]),
        ("65534:1-2", [(1, 65534), (2, 65535)]),
    ],
)
def test_a_range_is_so_many_ports_in_a_row(text: str, ports: list[tuple[int, int]]) -> None:
    assert [(request.internal_port, request.external_port) for request in parse_mapping(text)] == ports


def test_a_range_for_both_is_one_pair_after_the_other() -> None:
    requests = parse_mapping("game=1-2/both")
    assert [request.key for request in requests] == [Key(TCP, 1), Key(UDP, 1), Key(TCP, 2), Key(UDP, 2)]
    assert {(request.paired, request.name) for request in requests} == {(True, "game")}


def test_the_largest_range_has_a_thousand_ports() -> None:
    assert len(parse_mapping("1001-2000/udp")) == 1000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1001-2001", "has 1001 ports: use 1000 at most"),
        ("1-65535", "has 65535 ports: use 1000 at most"),
        ("2-1", "the range 2-1 ends before it begins: write 1-2"),
        ("0-5", "port 0 is out of range"),
        ("65530-65536", "port 65536 is out of range"),
        ("40000-40001:1-3", "has 2 external ports for 3: make the ranges equal"),
        ("40000-40002:1", "has 3 external ports for 1: make the ranges equal"),
        ("65535:1-2", "2 ports from 65535 on are out of range: end at 65535"),
        ("1-2-3", "'2-3' where a port is due"),
        ("1-", "'' where a port is due"),
        ("1 - 2", "where a port is due"),
    ],
)
def test_a_range_that_cannot_be_is_refused_with_its_reason(text: str, complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        parse_mapping(text)


@pytest.mark.parametrize(
    ("text", "name", "internal"),
    [
        ("follow", "", 1),
        ("1=follow", "", 1),
        ("0=follow", "", 0),
        ("6881=follow", "", 6881),
        ("bt=follow", "bt", 1),
        ("b2=follow", "b2", 1),
        ("bt=6881=follow", "bt", 6881),
        ("follow=follow", "follow", 1),
    ],
)
def test_to_follow_is_written_in_place_of_a_port_or_behind_the_one_to_start_at(
    text: str, name: str, internal: int
) -> None:
    (request,) = parse_mapping(text)
    assert request == PortRequest(TCP, internal, 0, name, follow=True)


def test_a_pair_can_follow_too() -> None:
    tcp, udp = parse_mapping("follow/both")
    assert parse_mapping("1=follow/both") == (tcp, udp)
    assert (tcp.key, udp.key, tcp.paired, udp.follow) == (Key(TCP, 1), Key(UDP, 1), True, True)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("40000:6881=follow", "with follow the gateway chooses it: leave it out"),
        ("40000:follow", "with follow the gateway chooses it"),
        ("70000=follow", "port 70000 is out of range: use 0 to 65535"),
        ("1-2=follow", "where a port is due"),
        ("1=2=follow", "makes no sense"),
        ("=follow", "unusable name"),
        ("follow=1=follow=2", "makes no sense"),
        ("follow/all", "use tcp, udp or both"),
        ("1=FOLLOW", "INT=follow, or just follow,"),
    ],
)
def test_nonsense_around_follow_is_refused_with_its_reason(text: str, complaint: str) -> None:
    with pytest.raises(SpecError, match=complaint):
        parse_mapping(text)


def test_follow_is_a_name_like_any_other() -> None:
    assert parse_mapping("follow=80") == (PortRequest(TCP, 80, name="follow"),)


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
    "text", ["=80", "a b=80", "-x=80", "ä=80", "x" * 25 + "=80", "a<b=80", "a/b=80", "a\n=80", "a\x00=80"]
)
def test_a_name_that_a_router_may_choke_on_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="unusable name"):
        parse_mapping(text)


@pytest.mark.parametrize(
    "text", ["http://me:word@h", "qbittorrent:http://me:word@h=80", "exec:curl -u me:word", "me:word@h:80", "//word"]
)
def test_a_spec_in_the_place_of_a_mapping_is_not_repeated(text: str) -> None:
    with pytest.raises(SpecError, match="looks like the spec of a gateway or publisher") as caught:
        parse_mapping(text)
    assert "word" not in str(caught.value)


def test_a_lifetime_is_asked_for_where_one_is_given() -> None:
    assert parse_mapping("80", lifetime=20) == (PortRequest(TCP, 80, lifetime=20),)


def test_several_mappings_make_one_list_in_order() -> None:
    assert [request.key for request in parse_mappings(["80", "53/both"])] == [Key(TCP, 80), Key(TCP, 53), Key(UDP, 53)]


def test_one_port_number_for_two_protocols_is_no_repetition() -> None:
    assert len(parse_mappings(["53/tcp", "53/udp"])) == 2


def test_ranges_that_overlap_are_refused() -> None:
    with pytest.raises(SpecError, match="TCP 20 is asked for twice"):
        parse_mappings(["10-20", "20-30"])
    with pytest.raises(SpecError, match="two mappings want the external port TCP 105"):
        parse_mappings(["100:1-6", "105"])


def test_two_mappings_with_follow_do_not_conflict() -> None:
    assert len(parse_mappings(["6881=follow", "6881:80", "follow/udp"])) == 3


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
    assert to_requests(request, lifetime=600) == (request,)


@given(
    st.text()
    | st.from_regex(r"[a-z=:/0-9-]{0,20}|[0-9:-]{1,9}@[a-z0-9.@-]{0,12}(/tcp)?|([a-z0-9]{0,3}=)?([0-9:-]{0,9}=?)follow")
)
def test_any_text_is_a_request_or_a_spec_error(text: str) -> None:
    try:
        requests = parse_mapping(text)
    except SpecError:
        return
    assert all((0 if request.follow else 1) <= request.internal_port <= 65535 for request in requests)


@given(st.integers(1, 65535), st.integers(1, 65535), st.sampled_from(["tcp", "udp"]))
def test_what_is_written_is_what_is_asked_for(external: int, internal: int, protocol: str) -> None:
    (request,) = parse_mapping(f"{external}:{internal}/{protocol}")
    assert (request.external_port, request.internal_port, request.protocol) == (external, internal, protocol.upper())


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        ("8123@192.168.1.50", (PortRequest(TCP, 8123, host="192.168.1.50"),)),
        ("web=443:8443@nas.lan", (PortRequest(TCP, 8443, 443, "web", host="nas.lan"),)),
        ("53@NAS/udp", (PortRequest(UDP, 53, host="nas"),)),
        ("5-6@10.0.0.2", (PortRequest(TCP, 5, host="10.0.0.2"), PortRequest(TCP, 6, host="10.0.0.2"))),
        ("80@127.0.0.5", (PortRequest(TCP, 80, host="127.0.0.5"),)),
    ],
)
def test_a_port_may_be_that_of_another_host(text: str, requests: tuple[PortRequest, ...]) -> None:
    assert parse_mapping(text) == requests


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("80@", "is no IPv4 address and no name"),
        ("80@a b", "is no IPv4 address and no name"),
        ("80@-nas", "is no IPv4 address and no name"),
        ("80@nas..lan", "is no IPv4 address and no name"),
        ("80@192.168.1", "is no IPv4 address and no name"),
        ("80@192.168.1.300", "is no IPv4 address and no name"),
        ("80@" + "a" * 64, "is no IPv4 address and no name"),
        ("80@8.8.8.8", "is not of a private network"),
        ("80@0.0.0.0", "is not of a private network"),
        ("80@fd00::5", "needs no mapping"),
        ("80@[fd00::5]", "needs no mapping"),
        ("80@nas.lan/sctp", "unknown protocol"),
        ("follow@nas.lan", "cannot be told which port to follow"),
        ("80=follow@nas.lan", "cannot be told which port to follow"),
        ("80@nas.lan@nas", "looks like the spec of a gateway or publisher"),
    ],
)
def test_what_can_be_no_host_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(SpecError, match=why):
        parse_mapping(text)


def test_two_hosts_may_have_the_same_port_but_not_the_same_one_outside() -> None:
    assert len(parse_mappings(["80", "81:80@nas.lan", "82:80@10.0.0.2"])) == 3
    with pytest.raises(SpecError, match="two mappings want the external port TCP 80"):
        parse_mappings(["80", "80@nas.lan"])
    with pytest.raises(SpecError, match=r"TCP 80@nas\.lan is asked for twice"):
        parse_mappings(["1:80@nas.lan", "2:80@nas.lan"])


def test_a_key_says_for_people_where_it_leads() -> None:
    assert [str(request.key) for request in parse_mappings(["80", "81@nas.lan"])] == ["TCP 80", "TCP 81@nas.lan"]
