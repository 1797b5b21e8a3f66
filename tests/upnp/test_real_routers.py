"""What real routers answer, as owners reported it: tables, clients and confirmations in odd forms."""

from typing import TYPE_CHECKING, Any

import pytest
from tests.upnp.canned import http

from portmap.errors import Conflict, Garbled, GatewayTimeout, NATError, NoGateway, Refused
from portmap.model import Grant
from portmap_upnp.mapping.entry_maker import NOT_READ_BACK
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted

from tests.upnp.real_routers import (
    ADD,
    DELETE,
    GET,
    HOST,
    LIST,
    NOT_FOUND,
    UNAUTHORISED,
    WANTED,
    YES,
    entry,
    opens,
    row,
)

BARE_500 = http(b"", "500 Internal Server Error")
EMPTY_ENVELOPE = http(b"<Envelope><Body/></Envelope>")


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
    assert all(b"<NewExternalPort>20001<" in request for request in asked)


def test_an_entry_that_only_the_second_witness_shows_is_closed_by_a_later_life(scripted: "Scripted") -> None:
    for close in (PortMapper(host=HOST).close, PortMapper(host=HOST).force_close):
        wan, gateway = scripted({GET: [714], LIST: [row(), 713, 713], DELETE: [YES]})
        close(wan, WANTED)
        assert DELETE in gateway.heard


def test_an_entry_that_only_the_second_witness_shows_is_not_lost_once_the_gateway_is_found_anew(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714], ADD: [YES], LIST: [row()]})[0])
    mapper.learn_anew()
    assert mapper.lists(scripted({GET: [714], LIST: [row()]})[0], WANTED)


def test_where_there_is_no_second_witness_once_the_gateway_is_found_anew_what_we_hold_is_deleted_unseen(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714], ADD: [YES], LIST: [401]})[0])
    mapper.learn_anew()
    wan, gateway = scripted({GET: [714], LIST: [401], DELETE: [YES]})
    assert mapper.lists(wan, WANTED) is None
    mapper.close(wan, WANTED)
    assert DELETE in gateway.heard


def test_a_gateway_that_has_shown_an_entry_is_believed_when_it_denies_it(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [714], LIST: [row()]})
    assert mapper.lists(wan, WANTED) is False
    assert gateway.heard == [GET]


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
    assert opens(mapper, wan).external_port == 20001


@pytest.mark.parametrize("word", ["0", "false", "No", "off", "Disabled"])
def test_an_entry_that_is_switched_off_in_whatever_words_is_none(
    word: str, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714, entry(NewEnabled=word), entry()], ADD: [YES], DELETE: [YES]})
    assert opens(mapper, wan) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, GET, DELETE, ADD, GET]


# A yes in odd forms.


@pytest.mark.parametrize("yes", [http(b""), http(b"", "201 Created"), http(b"", "202 Accepted"), EMPTY_ENVELOPE])
def test_an_empty_yes_is_decided_by_the_table(yes: bytes, mapper: PortMapper, scripted: "Scripted") -> None:
    wan, _ = scripted({GET: [714, entry()], ADD: [yes]})
    assert opens(mapper, wan) == Grant(30303, 600)
    wan, _ = scripted({GET: [714], ADD: [yes], LIST: [713], DELETE: [714]})
    with pytest.raises(Refused, match="lists nothing"):
        opens(PortMapper(lambda: 20001, HOST), wan)


def test_a_fault_without_a_reason_is_no_yes_where_the_table_cannot_be_read(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    fault = http(b"<Envelope><Body><Fault><faultstring>UPnPError</faultstring></Fault></Body></Envelope>")
    wan, _ = scripted({GET: [401], LIST: [401], ADD: [fault], DELETE: [714]})
    with pytest.raises(Garbled, match="fault without a reason"):
        opens(mapper, wan)
    assert mapper.held == 0


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


@pytest.mark.parametrize("nothing_there", [714, 713, 402, 501, BARE_500], ids=["714", "713", "402", "501", "bare 500"])
def test_a_deletion_of_nothing_is_no_failure_however_the_gateway_words_it(
    nothing_there: Any, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714], ADD: [YES], LIST: [713], DELETE: [nothing_there]})
    mapper = PortMapper(lambda: 20001, HOST)
    with pytest.raises(Refused, match="lists nothing"):
        opens(mapper, wan)
    assert b"20001" in b"".join(gateway.requests)
    assert mapper.held == 0


@pytest.mark.parametrize("failure", [402, 501, BARE_500], ids=["402", "501", "bare 500"])
def test_a_deletion_that_fails_while_the_entry_is_there_is_told(
    failure: Any, mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, _ = scripted({GET: [entry()], DELETE: [failure]})
    with pytest.raises(NATError):
        mapper.close(wan, WANTED, in_haste=True)
    assert mapper.held == 1


def test_where_the_deletion_fails_no_other_port_is_tried(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [714], ADD: [YES], LIST: [713], DELETE: [714, 606]})
    with pytest.raises(Refused, match="what it may have made could not be deleted"):
        opens(mapper, wan)
    assert b"20001" not in b"".join(gateway.requests)
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
    assert opens(mapper, wan).external_port == 20001


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
    assert opens(mapper, wan).external_port == 20001
