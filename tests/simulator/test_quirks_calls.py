"""The quirks of SOAP calls, as a UPnP client meets them."""

from collections.abc import Callable
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import pytest
from tests.simulator.conftest import SERVICE

from portmap.testing import Quirks

Behind: TypeAlias = Callable[..., Any]


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


def test_rubbish_faults_have_a_legible_code_and_nothing_else(lan: Behind) -> None:
    status, text = lan(rubbish_faults=True, upnp_error=725).post("AddPortMapping", **(lan().MAPPING))
    assert status == 500
    assert "<errorCode>725</errorCode>" in text
    with pytest.raises(ET.ParseError):
        ET.fromstring(text)  # noqa: S314  # our own


def test_one_mapping_replaces_the_last(lan: Behind) -> None:
    host = lan(one_mapping=True)
    host.add()
    host.add(NewProtocol="UDP")
    assert [entry.protocol for entry in host.router.entries] == ["UDP"]


def test_nat_said_off_still_maps(lan: Behind) -> None:
    host = lan(nat_said_off=True)
    assert host.call("GetNATRSIPStatus")["NewNATEnabled"] == "0"
    assert host.add() == ""


def test_negative_uptime_is_below_zero(lan: Behind) -> None:
    assert lan(negative_uptime=True).call("GetStatusInfo")["NewUptime"] == "-1"


def test_zero_port_is_what_add_any_grants(lan: Behind) -> None:
    host, service = lan(igd=2, zero_port=True), SERVICE.replace(":1", ":2")
    assert host.call("AddAnyPortMapping", service=service, **host.MAPPING)["NewReservedPort"] == "0"
