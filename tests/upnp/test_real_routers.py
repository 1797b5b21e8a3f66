"""What routers of the field say, and what must follow; the wire is real, the gateway follows a script."""

from ipaddress import IPv4Address
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest
from tests.upnp.conftest import http

from portmap.errors import Conflict, Garbled, GatewayTimeout, NATError, NoGateway, NotAuthorized, Refused
from portmap.model import Grant, Protocol
from portmap_upnp.control.wan_connection import WanActions
from portmap_upnp.mapping.entry_maker import NOT_READ_BACK
from portmap_upnp.mapping.port_forward import PortForward
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted

US = IPv4Address("192.168.1.5")
HOST = "c0ffee"
WANTED = PortForward(Protocol.TCP, 30303, US, 30303)
ADD, GET, DELETE = "AddPortMapping", "GetSpecificPortMappingEntry", "DeletePortMapping"
ANY, LIST = "AddAnyPortMapping", "GetGenericPortMappingEntry"
YES: dict[str, str] = {}
NOT_FOUND, UNAUTHORISED = http(b"<html/>", "404 Not Found"), http(b"", "401 Unauthorized")
BARE_500 = http(b"", "500 Internal Server Error")
EMPTY_ENVELOPE = http(b"<Envelope><Body/></Envelope>")


def entry(client: str = str(US), port: int = 30303, lease: int = 600, **others: str) -> dict[str, str]:
    return {
        "NewInternalClient": client,
        "NewInternalPort": str(port),
        "NewPortMappingDescription": f"portmap:{HOST}:x",
        "NewEnabled": "1",
        "NewLeaseDuration": str(lease),
    } | others


def row(external_port: int = 30303, **others: Any) -> dict[str, str]:
    return {"NewExternalPort": str(external_port), "NewProtocol": "TCP", "NewRemoteHost": ""} | entry(**others)


@pytest.fixture
def mapper() -> PortMapper:
    return PortMapper(chain([40001, 40002], repeat(40003)).__next__, HOST, is_host_present=lambda *_: True)


def opens(mapper: PortMapper, wan: WanActions, wanted: PortForward = WANTED) -> Grant:
    return mapper.open(wan, wanted, "x", 600)


# A table that cannot be read back.

UNREADABLE = [714, 401, 404, 600, 606, NOT_FOUND, UNAUTHORISED, BARE_500, EMPTY_ENVELOPE, http(b""), {}, entry("", 0)]


@pytest.mark.parametrize("answer", UNREADABLE, ids=range(len(UNREADABLE)))
def test_a_second_witness_confirms_what_the_first_does_not_show(
    answer: Any, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, _ = scripted({GET: [answer], ADD: [YES], LIST: [713, row(), 713] if answer != 714 else [row(), 713]})
    assert opens(mapper, wan) == Grant(30303, 600)


@pytest.mark.parametrize("answer", UNREADABLE, ids=range(len(UNREADABLE)))
def test_where_there_is_no_witness_the_grant_is_taken_and_told_as_not_read_back(
    answer: Any, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, _ = scripted({GET: [answer], ADD: [YES], LIST: [401]})
    assert opens(mapper, wan) == Grant(30303, 600, note=NOT_READ_BACK)


@pytest.mark.parametrize("answer", [401, NOT_FOUND, entry("0.0.0.0", 0)], ids=["401", "404", "zero"])  # noqa: S104
def test_a_port_that_the_second_witness_shows_as_taken_is_not_asked_for(
    answer: Any, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [answer], ADD: [728], LIST: [row(client="192.168.1.9")]})
    with pytest.raises(Refused):
        opens(mapper, wan)
    asked = [request for request in gateway.requests if f"#{ADD}".encode() in request]
    assert asked
    assert all(b"<NewExternalPort>40001<" in request for request in asked)


def test_a_grant_that_was_not_read_back_is_deleted_at_the_end(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [714], DELETE: [YES]})
    mapper.close(wan, WANTED)
    assert DELETE in gateway.heard


# The client of our entry in other words.


@pytest.mark.parametrize(
    "client", ["192.168.001.005", "192.168.1.5/32", " 192.168.1.5 ", "192.168.1.5/255.255.255.255", "box.lan", "myhost"]
)
def test_our_entry_is_recognised_however_the_client_is_written(
    client: str, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714, entry(client)], ADD: [YES], DELETE: [YES]})
    assert opens(mapper, wan) == Grant(30303, 600)
    wan, gateway = scripted({GET: [entry(client), 714], DELETE: [YES]})
    mapper.close(wan, WANTED)
    assert gateway.heard == [GET, DELETE, GET]


def test_an_entry_with_the_name_of_another_host_is_not_ours(mapper: PortMapper, scripted: "Scripted") -> None:
    theirs = entry("nas.lan", NewPortMappingDescription="portmap:bad0d0:x")
    wan, _ = scripted({GET: [theirs, 714, entry()], ADD: [YES]})
    assert opens(mapper, wan).external_port == 40001


# A yes in odd forms.


@pytest.mark.parametrize("yes", [http(b""), http(b"", "201 Created"), http(b"", "202 Accepted"), EMPTY_ENVELOPE])
def test_an_empty_yes_is_decided_by_the_table(yes: bytes, mapper: PortMapper, scripted: "Scripted") -> None:
    wan, _ = scripted({GET: [714, entry()], ADD: [yes]})
    assert opens(mapper, wan) == Grant(30303, 600)
    wan, _ = scripted({GET: [714], ADD: [yes], LIST: [713], DELETE: [714]})
    with pytest.raises(Refused, match="lists nothing"):
        opens(PortMapper(lambda: 40001, HOST), wan)


# What could not be confirmed is deleted.


LOST = b""  # the connection ends without an answer


@pytest.mark.parametrize("answer", [http(b"<html>hello</html>"), http(b"\x00\x01"), LOST, http(b"", "302 Found")])
def test_an_entry_whose_yes_was_not_understood_is_deleted_before_the_error(
    answer: bytes, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714], ADD: [answer], DELETE: [YES]})
    with pytest.raises((Garbled, NoGateway, GatewayTimeout)):
        opens(mapper, wan)
    assert gateway.heard == [GET, ADD, GET, DELETE]
    assert mapper.held == 0


def test_an_entry_that_cannot_be_read_back_for_an_error_is_deleted(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [714, http(b"", "302 Found"), 714], ADD: [YES], DELETE: [YES]})
    with pytest.raises(Garbled):
        opens(mapper, wan)
    assert gateway.heard[-1] == DELETE


def test_where_the_deletion_fails_no_other_port_is_tried(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [714], ADD: [YES], LIST: [713], DELETE: [714, 606]})
    with pytest.raises(Refused, match="what it may have made could not be deleted"):
        opens(mapper, wan)
    assert b"40001" not in b"".join(gateway.requests)
    assert mapper.held == 1  # so it is deleted at the end


def test_what_another_host_holds_by_now_is_not_deleted(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [714, entry("192.168.1.9")], ADD: [LOST], DELETE: [YES]})
    with pytest.raises(NATError):
        opens(mapper, wan)
    assert DELETE not in gateway.heard


def test_our_own_entry_survives_a_renewal_that_fails(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry()], ADD: [LOST], DELETE: [YES]})
    with pytest.raises(NATError):
        opens(mapper, wan)
    assert DELETE not in gateway.heard


# Rows that are no XML.


def test_a_port_held_by_an_entry_that_cannot_be_read_is_a_conflict(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, _ = scripted({GET: [http(b"<<<\xb5Torrent"), 714, entry()], ADD: [YES]})
    assert opens(mapper, wan).external_port == 40001


def test_a_gateway_whose_every_entry_cannot_be_read_is_asked_all_the_same(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, _ = scripted({GET: [http(b"<<<")], ADD: [YES]})
    assert opens(mapper, wan).note == NOT_READ_BACK


def test_an_entry_with_a_description_that_is_no_xml_is_read(mapper: PortMapper, scripted: "Scripted") -> None:
    values = "".join(f"<{name}>{value}</{name}>" for name, value in entry("192.168.1.9").items())
    body = f"<Envelope><Body><R>{values}</R></Body></Envelope>".encode().replace(
        b"portmap:c0ffee:x", b"\xb5Torrent & co"
    )
    wan, _ = scripted({GET: [http(body), 714, entry()], ADD: [YES]})
    with pytest.raises(Conflict, match="192"):
        PortMapper(lambda: 30303, HOST).open(scripted({GET: [http(body)]})[0], WANTED, "x", 600)
    assert opens(mapper, wan).external_port == 40001


# A range of ports, and ports under 1024.


@pytest.mark.parametrize("code", [606, 718])
def test_a_gateway_that_allows_a_range_only_chooses_the_port_itself(
    code: int, mapper: PortMapper, scripted: "Scripted"
) -> None:
    looks = [714] if code == 606 else [714, 714]  # after 718 one other port is tried: the first may just be taken
    wan, gateway = scripted({GET: [*looks, entry()], ADD: [code], ANY: [{"NewReservedPort": "5003"}]})
    assert opens(mapper, wan) == Grant(5003, 600)
    assert gateway.heard == [GET, ADD] * len(looks) + [ANY, GET]


@pytest.mark.parametrize("answer", [401, 602, NOT_FOUND, {"NewReservedPort": "0"}, {}])
def test_a_gateway_that_chooses_no_port_is_asked_for_others(
    answer: Any, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, _ = scripted({GET: [714, 714, entry()], ADD: [718, YES], ANY: [answer], DELETE: [714]})
    assert opens(mapper, wan) == Grant(40001, 600)


def test_a_gateway_that_lets_this_host_open_nothing_says_so(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [714], ADD: [606]})
    with pytest.raises(NotAuthorized):
        opens(mapper, wan)
    assert gateway.heard == [GET, ADD, ANY]


@pytest.mark.parametrize("code", [606, 718])
def test_a_refused_port_under_1024_is_told_with_what_to_ask_for(
    code: int, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, _ = scripted({GET: [714], ADD: [code]})
    with pytest.raises(NotAuthorized, match=r"refuses external port 443.*under 1024.*8443:8443") as caught:
        opens(mapper, wan, PortForward(Protocol.TCP, 443, US, 8443))
    assert "taken" not in str(caught.value)


def test_a_port_under_1024_that_another_host_holds_is_taken(scripted: "Scripted") -> None:
    wan, _ = scripted({GET: [entry("192.168.1.9")]})
    with pytest.raises(Conflict, match=r"taken by 192\.168\.1\.9"):
        opens(PortMapper(lambda: 443, HOST), wan, PortForward(Protocol.TCP, 443, US, 8443))


# An entry of another program of this host.


def test_an_entry_of_another_program_that_leads_here_is_taken_over_as_it_is(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [entry(lease=0, NewPortMappingDescription="libminiupnpc")]})
    grant = opens(mapper, wan)
    assert (grant.external_port, grant.lifetime) == (30303, 0)
    assert "made by another program (libminiupnpc)" in grant.note
    assert gateway.heard == [GET]


def test_its_lease_is_renewed_under_its_own_name(mapper: PortMapper, scripted: "Scripted") -> None:
    name = "a &amp; &lt;b&gt;"
    held = [entry(lease=lease, NewPortMappingDescription=name) for lease in (100, 600)]
    wan, gateway = scripted({GET: held, ADD: [YES]})
    assert opens(mapper, wan).lifetime == 600
    assert b"<NewPortMappingDescription>a &amp; &lt;b&gt;</NewPortMappingDescription>" in gateway.requests[1]


def test_it_is_not_deleted_at_the_end_nor_by_a_later_life(mapper: PortMapper, scripted: "Scripted") -> None:
    theirs = entry(lease=0, NewPortMappingDescription="libminiupnpc")
    opens(mapper, scripted({GET: [theirs]})[0])
    for closer in (mapper, PortMapper(host=HOST)):
        wan, gateway = scripted({GET: [theirs], DELETE: [YES]})
        closer.close(wan, WANTED)
        assert DELETE not in gateway.heard


def test_once_it_is_gone_we_make_our_own(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [entry(lease=0, NewPortMappingDescription="libminiupnpc")]})[0])
    assert opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0]) == Grant(30303, 600)
    wan, gateway = scripted({GET: [entry(), 714], DELETE: [YES]})
    mapper.close(wan, WANTED)
    assert DELETE in gateway.heard


# Few calls.


def test_a_gateway_that_is_known_to_extend_leases_is_not_read_back_at_each_renewal(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    opens(mapper, scripted({GET: [entry(lease=290), entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=290)], ADD: [YES]})
    assert opens(mapper, wan) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD]


def test_a_renewal_that_finds_less_than_a_third_of_the_lease_is_read_back(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    opens(mapper, scripted({GET: [entry(lease=290), entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=100), entry()], ADD: [YES]})
    opens(mapper, wan)
    assert gateway.heard == [GET, ADD, GET]


def test_in_haste_what_we_hold_is_deleted_unseen(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({DELETE: [YES]})
    mapper.close(wan, WANTED, in_haste=True)
    assert gateway.heard == [DELETE]


def test_in_haste_too_what_is_not_ours_is_looked_at_first(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [entry("192.168.1.9")], DELETE: [YES]})
    mapper.close(wan, WANTED, in_haste=True)
    assert gateway.heard == [GET]


def test_a_grant_that_was_not_read_back_is_not_called_lost_at_each_check(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714], ADD: [YES]})[0])
    assert mapper.lists(scripted({GET: [714]})[0], WANTED) is None


def test_a_check_asks_once_and_tells_whether_our_entry_is_there(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry()]})
    assert mapper.lists(wan, WANTED) is True
    assert gateway.heard == [GET]
    assert mapper.lists(scripted({GET: [714]})[0], WANTED) is False
    assert mapper.lists(scripted({GET: [entry("192.168.1.9")]})[0], WANTED) is False
