"""The wanted state as a sum of events: what is open now, and nothing that is not."""

import json
from functools import reduce
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from portmap.endpoints import Endpoints
from portmap.events import (
    Event,
    ExternalIPChanged,
    ExternalIPFailed,
    GatewayFound,
    GatewayLost,
    PortAdded,
    PortChanged,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
    RecordChanged,
)
from portmap.model import Protocol, Scope

IP4, IP6 = IPv4Address("8.8.8.8"), IPv6Address("2606:4700::1")
WEB: dict[str, Any] = {"protocol": Protocol.TCP, "internal_port": 80, "external_ip": IP4}
HOLE: dict[str, Any] = {"protocol": Protocol.TCP, "internal_port": 80, "external_ip": IP6, "external_port": 80}
ADDED = PortAdded(**WEB, external_port=8080, name="web", follow=True)
FOUND = GatewayFound(gateway="g")
MOVED = ExternalIPChanged(external_ip=IP4, scope=Scope.PUBLIC)


def after(*events: Event) -> Endpoints:
    return reduce(Endpoints.after, events, Endpoints())


def ports(*events: Event) -> list[int]:
    return [port.external_port for port in after(*events).ports]


def test_an_open_port_is_listed_with_all_that_is_known_of_it() -> None:
    (port,) = after(ADDED).mappings
    assert (port.external_port, port.internal_port, port.external_ip) == (8080, 80, IP4)
    assert (port.name, port.follow, port.scope) == ("web", True, Scope.PUBLIC)


def test_a_port_that_moved_is_where_it_is_now() -> None:
    assert ports(ADDED, PortChanged(**WEB, external_port=9090)) == [9090]


@pytest.mark.parametrize("kind", [PortLost, PortRemoved])
def test_a_port_that_is_shut_is_not_listed(kind: type[PortLost]) -> None:
    assert ports(ADDED, kind(**WEB, external_port=8080)) == []


@pytest.mark.parametrize("port", [0, None])
def test_port_0_is_never_listed(port: int | None) -> None:
    assert ports(ADDED, PortChanged(**WEB, external_port=port)) == []


def test_a_pinhole_is_another_port_than_the_mapping_of_the_same_number() -> None:
    state = after(ADDED, PortAdded(kind="pinhole", **HOLE), PortChanged(kind="pinhole", **HOLE))
    assert [port.external_port for port in state.mappings] == [8080]
    assert [port.external_ip for port in state.pinholes] == [IP6]


def test_a_pinhole_that_is_shut_leaves_the_mapping() -> None:
    assert ports(ADDED, PortAdded(kind="pinhole", **HOLE), PortLost(kind="pinhole", **HOLE)) == [8080]


def test_ports_keep_the_order_in_which_they_came() -> None:
    second = PortAdded(protocol=Protocol.UDP, internal_port=1, external_port=1)
    assert ports(ADDED, second, PortChanged(**WEB, external_port=9)) == [9, 1]


def test_address_gateway_and_record_are_the_last_that_were_stated() -> None:
    record = RecordChanged(seq=2, ip=IP4)
    state = after(FOUND, MOVED, RecordChanged(seq=1), record)
    assert (state.gateway, state.external_ip, state.scope, state.record) == ("g", IP4, Scope.PUBLIC, record)


@pytest.mark.parametrize(
    "event",
    [
        FOUND,
        MOVED,
        ADDED,
        PortRenewed(**WEB, external_port=8080, name="web", follow=True, lifetime=9),
        PortFailed(**WEB, reason="no"),
        PortLost(protocol=Protocol.UDP, internal_port=5),
        GatewayLost(gateway="g", reason="silent"),
        ExternalIPFailed(external_ip=None, scope=Scope.UNKNOWN),
        PortRenewed(kind="pinhole", **HOLE),
        Event(),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_changes_nothing_gives_the_very_same_value(event: Event) -> None:
    state = after(FOUND, MOVED, ADDED, PortAdded(kind="pinhole", **HOLE))
    assert state.after(event) is state


def test_a_renewal_of_what_was_never_heard_of_lists_it() -> None:
    assert ports(PortRenewed(**WEB, external_port=8080)) == [8080]


def test_the_json_shape_has_the_same_keys_always() -> None:
    empty, full = after().to_dict(), after(FOUND, MOVED, ADDED, RecordChanged(seq=1, ip=IP4)).to_dict()
    assert empty == {"v": 1, "gateway": "", "external_ip": None, "scope": "unknown", "ports": [], "record": None}
    assert json.loads(json.dumps(full)).keys() == empty.keys()


def test_the_json_shape_of_a_port_leaves_out_what_has_nothing_to_say() -> None:
    assert after(PortAdded(kind="pinhole", **HOLE)).to_dict()["ports"] == [
        {
            "protocol": "TCP",
            "external_ip": "2606:4700::1",
            "external_port": 80,
            "internal_port": 80,
            "scope": "public",
            "pinhole": True,
        }
    ]
