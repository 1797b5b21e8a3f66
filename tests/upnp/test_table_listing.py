"""The router's own table, read to its end however the router words that."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from portmap.errors import NATError, NotAuthorized, Refused
from portmap.model import Listed, Protocol
from portmap.testing import Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.control.wan_connection import TableRow
from portmap_upnp.mapping.ownership import host_id
from portmap_upnp.mapping.table_listing import MAX_ROWS, as_listed, read_table

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted

US = IPv4Address("127.0.0.1")
LIST, STATUS = "GetGenericPortMappingEntry", "GetStatusInfo"
UP = {"NewConnectionStatus": "Up", "NewUptime": "1", "NewLastConnectionError": ""}
BARE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"


def row(
    port: int, client: str = "192.168.1.44", protocol: str = "TCP", description: str = "Sunshine"
) -> dict[str, str]:
    return {
        "NewRemoteHost": "",
        "NewExternalPort": str(port),
        "NewProtocol": protocol,
        "NewInternalPort": "4001",
        "NewInternalClient": client,
        "NewEnabled": "1",
        "NewPortMappingDescription": description,
        "NewLeaseDuration": "600",
    }


def read(scripted: "Scripted", rows: list[Any], status: Any = UP) -> tuple[Listed, ...]:
    wan, _ = scripted({LIST: rows, STATUS: [status]})
    return read_table(wan, US)


THEIRS = Listed(Protocol.TCP, 4001, "192.168.1.44", 4001, 600, "Sunshine")


@pytest.mark.parametrize("end", [713, 714, 402, 501, BARE])
def test_the_table_ends_as_the_router_words_it(scripted: "Scripted", end: int | bytes) -> None:
    assert read(scripted, [row(4001), end]) == (THEIRS,)


@pytest.mark.parametrize("end", [713, 714, 402, 501, BARE])
def test_an_empty_table_is_empty(scripted: "Scripted", end: int | bytes) -> None:
    assert read(scripted, [end]) == ()


@pytest.mark.parametrize("failure", [501, BARE])
def test_a_router_that_fails_at_everything_has_no_empty_table(scripted: "Scripted", failure: int | bytes) -> None:
    with pytest.raises(NATError):
        read(scripted, [failure], status=failure)


@pytest.mark.parametrize(("code", "error"), [(401, Refused), (602, Refused), (606, NotAuthorized)])
def test_a_router_that_does_not_show_its_table_says_so(scripted: "Scripted", code: int, error: type[NATError]) -> None:
    with pytest.raises(error):
        read(scripted, [code])


def test_a_row_that_cannot_be_read_does_not_cost_the_others(scripted: "Scripted") -> None:
    garbage = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    after = Listed(Protocol.TCP, 4002, *vars_of(THEIRS))
    assert read(scripted, [row(4001), garbage, row(4002), 713]) == (THEIRS, after)


@pytest.mark.parametrize("description", [b"\xb5Torrent (TCP)", b"a & b", b"a < b", b"\x01\x02", b"&bogus;", b"&#0;"])
def test_a_row_whose_description_is_no_xml_is_shown(scripted: "Scripted", description: bytes) -> None:
    values = b"".join(b"<%s>%s</%s>" % (k.encode(), v.encode(), k.encode()) for k, v in row(4001).items())
    body = b"<Envelope><Body><u:R>" + values.replace(b"Sunshine", description) + b"</u:R></Body></Envelope>"
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    (listed,) = read(scripted, [reply, 713])
    assert (listed.external_port, listed.client) == (4001, "192.168.1.44")


def test_a_gateway_that_answers_every_row_with_garbage_has_an_end(scripted: "Scripted") -> None:
    assert read(scripted, [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"]) == ()


def test_a_router_that_repeats_its_last_row_comes_to_an_end(scripted: "Scripted") -> None:
    assert read(scripted, [row(4001), row(4002)]) == (THEIRS, Listed(Protocol.TCP, 4002, *vars_of(THEIRS)))


def vars_of(listed: Listed) -> tuple[str, int, int, str]:
    return listed.client, listed.internal_port, listed.lifetime, listed.description


def test_a_table_without_end_is_cut(monkeypatch: pytest.MonkeyPatch, scripted: "Scripted") -> None:
    assert MAX_ROWS == 1000
    monkeypatch.setattr("portmap_upnp.mapping.table_listing.MAX_ROWS", 3)
    assert len(read(scripted, [row(port) for port in range(4001, 4010)])) == 3


HOST = host_id()


@pytest.mark.parametrize(
    ("client", "description", "ours"),
    [
        (str(US), f"portmap:{HOST}:web", True),
        ("192.168.1.99", f"portmap:{HOST}:web", True),  # we had another address then
        (str(US), "portmap:web", True),
        ("192.168.1.44", "portmap:0ffee0:web", False),
        (str(US), "Sunshine", False),
        (str(US), "", False),
    ],
)
def test_ours_is_what_bears_our_mark(client: str, description: str, ours: bool) -> None:
    listed = as_listed(TableRow("TCP", 4001, client, 4001, description, 0), US, HOST)
    assert listed is not None
    assert listed.ours is ours


@pytest.mark.parametrize(
    "entry", [TableRow("ICMP", 1, "x", 1, "", 0), TableRow("TCP", 0, "x", 1, "", 0), TableRow("TCP", 1, "x", 0, "", 0)]
)
def test_a_row_that_cannot_be_is_passed_over(entry: TableRow) -> None:
    assert as_listed(entry, US, HOST) is None


def test_a_protocol_in_small_letters_and_an_endless_lease_are_understood() -> None:
    assert as_listed(TableRow("udp", 1, "x", 1, "", 0xFFFFFFFF), US, HOST) == Listed(Protocol.UDP, 1, "x", 1, 0)


def test_the_hook_lists_what_the_router_holds(router: Router, upnp: Upnp) -> None:
    upnp.add_mapping(Protocol.UDP, 4002, 4001, "web", 600, client=None)
    assert upnp.list_mappings() == (
        Listed(Protocol.UDP, 4002, "127.0.0.1", 4001, 600, f"portmap:{HOST}:web", ours=True),
    )


@pytest.mark.parametrize("code", [402, 501])
def test_the_hook_knows_each_end(router: Router, upnp: Upnp, code: int) -> None:
    router.quirks = Quirks(list_ends_with=code)
    assert upnp.list_mappings() == ()


def test_the_maker_and_the_place_are_evidence(router: Router, upnp: Upnp) -> None:
    assert upnp.evidence() == ()
    upnp.external_ip()
    assert upnp.evidence() == ("portmap portmap.testing", router.description_url)
