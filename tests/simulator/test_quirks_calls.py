"""The quirks of SOAP calls, as a UPnP client meets them."""

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from portmap.testing import Quirks, Router

Start: TypeAlias = Callable[..., Router]
Behind: TypeAlias = Callable[..., Any]
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"


@pytest.mark.parametrize(
    ("quirks", "changes", "error"),
    [
        (Quirks(no_infinite=True), {"NewLeaseDuration": "0"}, "402"),
        (Quirks(no_infinite=True), {}, ""),
        (Quirks(same_port_required=True), {"NewExternalPort": "40002"}, "724"),
        (Quirks(same_port_required=True), {}, ""),
        (Quirks(conflict_as_501=True, conflict=frozenset({40001})), {}, "501"),
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


def test_status_up_is_not_connected(lan: Behind) -> None:
    assert lan(status_up=True).call("GetStatusInfo")["NewConnectionStatus"] == "Up"


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
    assert host.call("AddAnyPortMapping", service=service, **host.WISH)["NewReservedPort"] == "0"
