"""The quirks of SOAP calls, as a UPnP client meets them."""

import html
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import pytest
from tests.simulator.conftest import ENVELOPE

from portmap.testing import Quirks, Router

Start: TypeAlias = Callable[..., Router]
Behind: TypeAlias = Callable[..., Any]
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
RANGE = {"NewStartPort": "1", "NewEndPort": "65535", "NewProtocol": "TCP", "NewManage": "1", "NewNumberOfPorts": "0"}


@pytest.mark.parametrize(
    ("quirks", "changes", "error"),
    [
        (Quirks(no_infinite=True), {"NewLeaseDuration": "0"}, "402"),
        (Quirks(no_infinite=True), {}, ""),
        (Quirks(same_port_required=True), {"NewExternalPort": "20002"}, "724"),
        (Quirks(same_port_required=True), {}, ""),
        (Quirks(conflict_as_501=True, conflict=frozenset({20001})), {}, "501"),
        (Quirks(picky_description=True), {"NewPortMappingDescription": "x" * 33}, "501"),
        (Quirks(picky_description=True), {"NewPortMappingDescription": "x" * 32}, ""),
        (Quirks(high_ports_only=True), {"NewExternalPort": "80"}, "606"),
        (Quirks(full_table=True), {}, "728"),
        (Quirks(upnp_off=True), {}, "501"),
        (Quirks(upnp_error=-911), {}, "-911"),
        (Quirks(only_permanent=True), {}, "725"),
        (Quirks(permanent_as_402=True), {}, "402"),
        (Quirks(secure_mode=True), {"NewInternalClient": "127.0.0.9"}, "718"),
    ],
)
def test_a_refusing_quirk_gives_its_code(lan: Behind, quirks: Quirks, changes: dict[str, str], error: str) -> None:
    host = lan()
    host.router.quirks = quirks
    assert host.add(**changes) == error


def test_no_refresh_says_yes_and_extends_nothing(lan: Behind, clock: Any) -> None:
    host = lan(no_refresh=True)
    host.add()
    clock.now += 300
    assert host.add() == ""
    assert host.remaining() == "300"


def test_no_refresh_is_cured_by_deleting(lan: Behind, clock: Any) -> None:
    host = lan(no_refresh=True)
    host.add()
    clock.now += 300
    host.delete()
    host.add()
    assert host.remaining() == "600"


def test_no_overwrite_wants_a_deletion_first(lan: Behind) -> None:
    host = lan(no_overwrite=True)
    assert (host.add(), host.add()) == ("", "718")
    host.delete()
    assert host.add() == ""


def test_throttle_refuses_what_comes_too_soon(lan: Behind, clock: Any) -> None:
    host = lan(throttle=0.2)
    assert (host.add(), host.add()) == ("", "501")
    clock.now += 0.2
    assert host.add() == ""


def test_list_ends_with_another_code(lan: Behind) -> None:
    host = lan(list_ends_with=402)
    assert host.call("GetGenericPortMappingEntry", NewPortMappingIndex="0")["error"] == "402"


@pytest.mark.parametrize("status", ["Up", "Disconnected", "Unconfigured", "connected", ""])
def test_status_is_the_word_that_is_given_and_the_router_maps(lan: Behind, status: str) -> None:
    host = lan(status=status)
    assert host.call("GetStatusInfo")["NewConnectionStatus"] == status
    assert host.add() == ""


@pytest.mark.parametrize("address", ["", "nonsense", "0.0.0.0"])  # noqa: S104  # not bound to
def test_states_is_the_address_that_is_given_and_the_router_maps(lan: Behind, address: str) -> None:
    host = lan(states=address)
    assert host.call("GetExternalIPAddress")["NewExternalIPAddress"] == address
    assert host.add() == ""


def test_refuses_private_is_501_though_connected(lan: Behind) -> None:
    host = lan(refuses_private=True)
    assert host.call("GetStatusInfo")["NewConnectionStatus"] == "Connected"
    assert host.call("GetExternalIPAddress")["NewExternalIPAddress"] == ""
    assert host.add() == "501"


@pytest.mark.parametrize(
    ("quirks", "port", "error"),
    [
        (Quirks(only_ports=frozenset({5000, 5001})), "5001", ""),
        (Quirks(only_ports=frozenset({5000, 5001})), "20001", "606"),
        (Quirks(only_ports=frozenset({5000}), forbidden_as_718=True), "20001", "718"),
        (Quirks(high_ports_only=True, forbidden_as_718=True), "80", "718"),
    ],
)
def test_a_port_that_is_not_allowed_is_refused(lan: Behind, quirks: Quirks, port: str, error: str) -> None:
    host = lan()
    host.router.quirks = quirks
    assert host.add(NewExternalPort=port) == error


@pytest.mark.parametrize(
    ("quirks", "wanted", "given"),
    [
        (Quirks(only_ports=frozenset(range(5000, 5011))), "20001", "5010"),  # as miniupnpd 2.3.1
        (Quirks(only_ports=frozenset(range(5000, 5011))), "5003", "5003"),
        (Quirks(only_ports=frozenset(range(5000, 5011)), bad_rows=frozenset({5010})), "20001", "5009"),
        (Quirks(high_ports_only=True), "80", "1024"),  # likewise
        (Quirks(conflict=frozenset({20001})), "20001", "20002"),
    ],
)
def test_add_any_gives_the_nearest_port_that_is_allowed(lan: Behind, quirks: Quirks, wanted: str, given: str) -> None:
    host = lan()
    host.router.quirks = quirks
    result = host.call("AddAnyPortMapping", **(host.MAPPING | {"NewExternalPort": wanted}))
    assert result == {"NewReservedPort": given}


@pytest.mark.parametrize(("forgiving", "error"), [(False, "714"), (True, "")])
def test_forgiving_delete_says_yes_to_what_is_not_there(lan: Behind, forgiving: bool, error: str) -> None:
    host = lan(forgiving_delete=forgiving)
    assert host.call("DeletePortMapping", **host.MAPPING).get("error", "") == error


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [("empty", 200, ""), ("201", 201, ""), ("202", 202, ""), ("204", 204, ""), ("illegible", 200, "OK")],
)
def test_add_answer_is_a_yes_that_is_no_reply(lan: Behind, answer: str, status: int, body: str) -> None:
    host = lan(add_answer=answer)
    assert host.post("AddPortMapping", **host.MAPPING) == (status, body)
    assert len(host.router.entries) == 1


def test_add_answer_bare_has_no_response_element(lan: Behind) -> None:
    host = lan(add_answer="bare")
    status, body = host.post("AddPortMapping", **host.MAPPING)
    assert status == 200
    assert "<s:Body></s:Body>" in body


def test_add_answer_leaves_refusals_as_they_are(lan: Behind) -> None:
    assert lan(add_answer="204", conflict=frozenset({20001})).add() == "718"


@pytest.mark.parametrize("code", ["714", "401", "600", "606"])
def test_read_back_is_an_error_code_though_the_mapping_is_there(lan: Behind, code: str) -> None:
    host = lan(read_back=code)
    assert (host.add(), host.remaining()) == ("", code)


@pytest.mark.parametrize(("how", "status"), [("http_404", 404), ("http_500", 500)])
def test_read_back_is_an_http_status_and_no_body(lan: Behind, how: str, status: int) -> None:
    host = lan(read_back=how)
    host.add()
    assert host.post("GetSpecificPortMappingEntry", **host.MAPPING) == (status, "")


@pytest.mark.parametrize(("how", "port"), [("empty", ""), ("zero", "0")])
def test_read_back_is_worthless(lan: Behind, how: str, port: str) -> None:
    host = lan(read_back=how)
    host.add()
    assert host.call("GetSpecificPortMappingEntry", **host.MAPPING)["NewInternalPort"] == port


@pytest.mark.parametrize("action", ["GetGenericPortMappingEntry", "GetListOfPortMappings"])
def test_no_list_refuses_to_list(lan: Behind, action: str) -> None:
    assert lan(no_list=606).call(action, NewPortMappingIndex="0", **RANGE)["error"] == "606"


@pytest.mark.parametrize(
    ("how", "client"),
    [
        ("name", "host-127-0-0-1.lan"),
        ("padded", "127.000.000.001"),
        ("prefix", "127.0.0.1/24"),
        ("blanks", " 127.0.0.1\n "),
    ],
)
def test_client_as_is_how_the_host_is_listed(lan: Behind, how: str, client: str) -> None:
    host = lan(client_as=how)
    host.add()
    assert host.call("GetSpecificPortMappingEntry", **host.MAPPING)["NewInternalClient"] == client
    assert client in html.unescape(
        host.call("GetGenericPortMappingEntry", NewPortMappingIndex="0")["NewInternalClient"]
    )


def test_bad_rows_hold_their_ports_and_are_no_xml(lan: Behind) -> None:
    host = lan(bad_rows=frozenset({20001}))
    assert (host.add(), host.add(NewExternalPort="20002")) == ("718", "")
    status, text = host.post("GetGenericPortMappingEntry", NewPortMappingIndex="1")
    assert status == 200
    assert "<NewPortMappingDescription>\xb5Torrent & friends<" in text
    assert host.call("GetGenericPortMappingEntry", NewPortMappingIndex="0")["NewExternalPort"] == "20002"


def test_bad_rows_spoil_the_whole_list(lan: Behind) -> None:
    text = lan(bad_rows=frozenset({20001})).post("GetListOfPortMappings", **RANGE)[1]
    with pytest.raises(ET.ParseError):
        ET.fromstring(text[text.index("<p:") : text.index("]]>")])  # noqa: S314  # our own


def test_rubbish_faults_have_a_legible_code_and_nothing_else(lan: Behind) -> None:
    status, text = lan(rubbish_faults=True, upnp_error=725).post("AddPortMapping", **(lan().MAPPING))
    assert status == 500
    assert "<errorCode>725</errorCode>" in text
    with pytest.raises(ET.ParseError):
        ET.fromstring(text)  # noqa: S314  # our own


def test_the_list_of_a_range_has_each_mapping_with_its_values(lan: Behind) -> None:
    host = lan()
    host.add()
    host.add(NewProtocol="UDP")
    text = host.post("GetListOfPortMappings", **RANGE)[1]
    (row,) = ET.fromstring(text[text.index("<p:") : text.index("]]>")])  # noqa: S314  # our own
    assert {leaf.tag.partition("}")[2]: leaf.text or "" for leaf in row} == {
        "NewRemoteHost": "",
        "NewExternalPort": "20001",
        "NewProtocol": "TCP",
        "NewInternalPort": "20001",
        "NewInternalClient": "127.0.0.1",
        "NewEnabled": "1",
        "NewDescription": "portmap:web",
        "NewLeaseTime": "600",
    }


def test_a_range_is_deleted_at_once_and_730_where_it_is_empty(lan: Behind) -> None:
    host = lan()
    host.add()
    host.add(NewExternalPort="20002")
    assert host.call("DeletePortMappingRange", **RANGE) == {}
    assert host.router.entries == ()
    assert host.call("DeletePortMappingRange", **RANGE)["error"] == "730"


@pytest.mark.parametrize("action", ["GetListOfPortMappings", "DeletePortMappingRange"])
def test_a_range_the_wrong_way_round_is_inconsistent(lan: Behind, action: str) -> None:
    assert lan().call(action, **(RANGE | {"NewStartPort": "2", "NewEndPort": "1"}))["error"] == "733"


def test_one_mapping_replaces_the_last(lan: Behind) -> None:
    host = lan(one_mapping=True)
    host.add()
    host.add(NewProtocol="UDP")
    assert [entry.protocol for entry in host.router.entries] == ["UDP"]


@pytest.mark.parametrize("header", [f"{SERVICE}#GetExternalIPAddress", f'"{SERVICE}#GetExternalIPAddress"'])
def test_a_soapaction_need_not_be_quoted(lan: Behind, header: str) -> None:
    host = lan()
    assert host.fetch("POST", "/ctl/IPConn", ENVELOPE, SOAPAction=header)[0] == 200


@pytest.mark.parametrize("header", ["", "x", '"'])
def test_a_call_without_an_action_is_a_bad_request(lan: Behind, header: str) -> None:
    assert lan().fetch("POST", "/ctl/IPConn", ENVELOPE, SOAPAction=header)[0] == 400


def test_a_chunked_call_is_done(lan: Behind) -> None:
    host = lan()
    with closing(HTTPConnection(host.router.address, host.router.http_port, timeout=5)) as connection:
        headers = {"SOAPAction": f'"{SERVICE}#GetExternalIPAddress"'}
        parts = (ENVELOPE[:20].encode(), ENVELOPE[20:].encode())
        connection.request("POST", "/ctl/IPConn", iter(parts), headers, encode_chunked=True)
        assert b"1.2.3.4" in connection.getresponse().read()


@pytest.mark.parametrize(
    ("name", "status"),
    [("rebound.example", 404), ("127.0.0.1:80", 200), ("[::1]", 200), ("127.0.0.1", 200), ("router:5000", 404)],
)
def test_a_host_by_name_is_not_found(lan: Behind, name: str, status: int) -> None:
    assert lan().fetch("GET", "/desc.xml", Host=name)[0] == status


def test_nat_said_off_still_maps(lan: Behind) -> None:
    host = lan(nat_said_off=True)
    assert host.call("GetNATRSIPStatus")["NewNATEnabled"] == "0"
    assert host.add() == ""


def test_negative_uptime_is_below_zero(lan: Behind) -> None:
    assert lan(negative_uptime=True).call("GetStatusInfo")["NewUptime"] == "-1"


def test_prunes_hides_behind_the_lease(lan: Behind, clock: Any) -> None:
    host = lan(prunes=60.0)
    host.add()
    clock.now += 59
    assert host.remaining() == "541"
    clock.now += 1
    assert host.remaining() == "714"


def test_zero_port_is_what_add_any_grants(lan: Behind) -> None:
    host, service = lan(igd=2, zero_port=True), SERVICE.replace(":1", ":2")
    assert host.call("AddAnyPortMapping", service=service, **host.MAPPING)["NewReservedPort"] == "0"
