import pytest

from portmap.errors import Garbled
from portmap_upnp.notifications.gena import (
    Subscription,
    describe_change,
    parse_event,
    parse_subscription,
    renewal_headers,
    subscribe_headers,
)

BODY = (
    b'<e:propertyset xmlns:e="urn:schemas-upnp-org:event-1-0">'
    b"<e:property><ConnectionStatus>Connected</ConnectionStatus></e:property>"
    b"<e:property><ExternalIPAddress> 203.0.113.7 </ExternalIPAddress></e:property></e:propertyset>"
)


def request(line: str = "NOTIFY /x HTTP/1.1", sid: str = "uuid:1", body: bytes = BODY) -> bytes:
    head = f"{line}\r\nHost: 192.168.1.5:4000\r\nNT: upnp:event\r\nNTS: upnp:propchange\r\nsid:{sid}\r\nSEQ: 0"
    return head.encode() + b"\r\n\r\n" + body


def test_a_subscription_is_asked_for_and_extended_as_the_standard_has_it() -> None:
    assert subscribe_headers("http://192.168.1.5:4000/x") == {
        "CALLBACK": "<http://192.168.1.5:4000/x>",
        "NT": "upnp:event",
        "TIMEOUT": "Second-1800",
    }
    assert renewal_headers("uuid:1") == {"SID": "uuid:1", "TIMEOUT": "Second-1800"}


@pytest.mark.parametrize(
    ("timeout", "lifetime"),
    [
        ("Second-300", 300),
        ("second-300 ", 300),
        ("300", 300),
        ("Second-infinite", 1800),
        ("", 1800),
        ("Second-1", 60),
        ("Second-999999999", 86400),
        ("Second--5", 1800),
        ("Second-\u0665", 1800),
    ],
)
def test_how_long_a_subscription_lasts_is_read_with_care(timeout: str, lifetime: int) -> None:
    assert parse_subscription("uuid:1", timeout) == Subscription("uuid:1", lifetime)


@pytest.mark.parametrize("sid", ["", "x" * 200, "uuid:\u00e9", "a\x00b"])
def test_a_subscription_without_a_good_name_is_garbled(sid: str) -> None:
    with pytest.raises(Garbled):
        parse_subscription(sid, "Second-300")


def test_an_event_whose_lines_end_with_a_line_feed_only_is_read() -> None:
    assert parse_event(request().replace(b"\r\n", b"\n"), "/x", "uuid:1") == parse_event(request(), "/x", "uuid:1")


def test_an_event_is_read() -> None:
    values = parse_event(request(), "/x", "uuid:1")
    assert values == {"ConnectionStatus": "Connected", "ExternalIPAddress": "203.0.113.7"}


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\xff\xfe",
        request("GET /x HTTP/1.1"),
        request("NOTIFY /y HTTP/1.1"),
        request("NOTIFY"),
        request(sid="uuid:2"),
        request(sid=""),
        request(body=b"<broken"),
        request(body=b'<!DOCTYPE x [<!ENTITY y "z">]><x/>'),
        request(body=b""),
    ],
)
def test_what_is_no_event_of_ours_is_garbled(hostile: bytes) -> None:
    with pytest.raises(Garbled):
        parse_event(hostile, "/x", "uuid:1")


def test_the_first_values_are_no_news() -> None:
    assert describe_change({}, {"ExternalIPAddress": "203.0.113.7"}) == ""


def test_another_address_or_line_is_news() -> None:
    before = {"ExternalIPAddress": "203.0.113.7", "ConnectionStatus": "Connected", "PortMappingNumberOfEntries": "1"}
    assert describe_change(before, before | {"PortMappingNumberOfEntries": "9"}) == ""
    assert describe_change(before, before | {"ExternalIPAddress": "203.0.113.8"}) == (
        "external address announced: 203.0.113.7 \u2192 203.0.113.8"
    )
    assert describe_change(before, before | {"ConnectionStatus": ""}) == "line announced: Connected \u2192 nothing"


def test_a_hostile_value_is_cut_and_cleaned() -> None:
    text = describe_change({"ConnectionStatus": "Up"}, {"ConnectionStatus": "\x1b[31m" + "x" * 500})
    assert "\x1b" not in text
    assert len(text) < 90


def test_only_the_two_names_that_concern_us_are_kept() -> None:
    junk = b"".join(b"<N%d>x</N%d>" % (number, number) for number in range(500))
    values = parse_event(
        request(body=b"<e>" + junk + b"<ExternalIPAddress>203.0.113.7</ExternalIPAddress></e>"), "/x", "uuid:1"
    )
    assert values == {"ExternalIPAddress": "203.0.113.7"}
