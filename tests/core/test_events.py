"""Ring 1: events and their JSON shape."""

import json
from dataclasses import FrozenInstanceError
from ipaddress import IPv4Address, IPv6Address

import pytest

from portmap import events
from portmap.events import (
    Event,
    ExternalIPChanged,
    ExternalIPFailed,
    GatewayLost,
    PortAdded,
    PortEvent,
    PortFailed,
    RecordChanged,
)
from portmap.model import Mapping, Protocol, Scope

PUBLIC = IPv4Address("1.2.3.4")
OPEN = Mapping(Protocol.TCP, 8080, 80, 600, PUBLIC, "web")


def test_every_event_has_the_name_that_the_stream_promises() -> None:
    kinds = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)}
    ports = {kind for kind in kinds if issubclass(kind, PortEvent)}
    names = {kind._event for kind in kinds - ports if "_event" in vars(kind)}
    names |= {kind(protocol=Protocol.TCP, internal_port=1).event for kind in ports if "_event" in vars(kind)}
    assert names >= {
        "gateway.found",
        "gateway.lost",
        "gateway.rebooted",
        "external_ip.changed",
        "external_ip.failed",
        "mapping.added",
        "mapping.changed",
        "mapping.renewed",
        "mapping.failed",
        "mapping.lost",
        "mapping.removed",
        "record.changed",
    }


def test_a_mapping_is_told_with_everything_that_applies() -> None:
    assert PortAdded.of(OPEN).to_dict() == {
        "event": "mapping.added",
        "protocol": "TCP",
        "internal_port": 8080,
        "external_port": 80,
        "external_ip": "1.2.3.4",
        "scope": "public",
        "lifetime": 600,
        "name": "web",
    }


def test_a_pinhole_is_told_by_its_own_name_with_the_same_fields() -> None:
    hole = PortAdded.of(OPEN, kind="pinhole").to_dict()
    assert hole == PortAdded.of(OPEN).to_dict() | {"event": "pinhole.added"}


def test_what_has_no_value_is_left_out() -> None:
    told = PortFailed(protocol=Protocol.UDP, internal_port=53, reason="full", error="OutOfResources").to_dict()
    assert list(told) == ["event", "protocol", "internal_port", "reason", "error"]


def test_a_permanent_lifetime_is_told_as_0() -> None:
    assert PortAdded.of(Mapping(Protocol.TCP, 80, 80, 0)).to_dict()["lifetime"] == 0


def test_a_port_forwarded_by_hand_is_told_as_static() -> None:
    assert PortAdded.of(Mapping(Protocol.TCP, 80, 80, 0, static=True)).to_dict()["static"] is True


def test_an_unknown_address_has_an_unknown_scope() -> None:
    told = PortAdded.of(Mapping(Protocol.TCP, 80, 80, 600)).to_dict()
    assert told["scope"] == "unknown"
    assert "external_ip" not in told


def test_a_changed_address_is_told_with_the_one_before() -> None:
    told = ExternalIPChanged(external_ip=IPv6Address("2606::1"), previous_ip=PUBLIC, scope=Scope.PUBLIC).to_dict()
    assert told == {
        "event": "external_ip.changed",
        "external_ip": "2606::1",
        "previous_ip": "1.2.3.4",
        "scope": "public",
    }


def test_a_record_is_told_with_all_its_ports() -> None:
    told = RecordChanged(seq=7, ip=PUBLIC, tcp=1, tcp6=2, udp=3, udp6=4, enr="enr:x").to_dict()
    assert told == {
        "event": "record.changed",
        "seq": 7,
        "ip": "1.2.3.4",
        "tcp": 1,
        "tcp6": 2,
        "udp": 3,
        "udp6": 4,
        "enr": "enr:x",
    }


@pytest.mark.parametrize(
    "event",
    [
        PortAdded.of(OPEN),
        GatewayLost(gateway="g", reason="r", error="GatewayTimeout"),
        ExternalIPFailed(external_ip=None, scope=Scope.UNKNOWN, reason="no"),
        RecordChanged(seq=1),
    ],
)
def test_every_event_is_json_ready(event: Event) -> None:
    assert json.loads(json.dumps(event.to_dict())) == event.to_dict()


def test_an_event_cannot_be_changed() -> None:
    event = PortAdded.of(OPEN)
    with pytest.raises(FrozenInstanceError):
        event.internal_port = 1  # type: ignore[misc]  # the point of the test


def test_an_event_is_known_by_its_mapping() -> None:
    assert PortAdded.of(OPEN).key == OPEN.key


def test_events_of_two_classes_differ_though_their_fields_are_the_same() -> None:
    added, failed = PortAdded.of(OPEN), PortFailed.of(OPEN)
    assert len({added, failed, PortAdded.of(OPEN)}) == 2
    assert added == PortAdded.of(OPEN)
    assert repr(failed).startswith("PortFailed(")


def test_an_event_has_no_room_for_what_is_no_field() -> None:
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)]
    assert all(kind.__dictoffset__ == 0 for kind in kinds)
