"""Events, records and states to show to a publisher.

Events: each of every kind bare, and with all that it can say; the classes come from `portmap.events`, so a new one is
shown as soon as it exists. States: nothing at all, one port, the same port elsewhere, all that a state can say; every
port here is one that any publisher may publish, open outside as inside, or to be followed.
"""

from collections.abc import Iterator
from dataclasses import MISSING, fields, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from portmap import events
from portmap.endpoints import Endpoints, OpenPort
from portmap.events import Event, PortEvent, PublisherEvent, RecordChanged
from portmap.model import Protocol, Scope
from portmap.node.record import Record

_VALUES: dict[str, Any] = {
    "gateway": "Ünïcode <gateway> 192.168.1.1",
    "reason": "it said 'no' & \"never\"\n<again>",
    "error": "Refused",
    "external_ip": IPv4Address("203.0.113.7"),
    "previous_ip": IPv6Address("2001:db8::7"),
    "scope": Scope.PUBLIC,
    "protocol": Protocol.UDP,
    "internal_port": 30303,
    "external_port": 65535,
    "host": "nas.lan",
    "lifetime": 0xFFFFFFFF,
    "name": "naïve; rm -rf /",
    "static": True,
    "follow": True,
    "ms": 12,
    "how": "a responder outside",
    "retry_in": 4.0,
    "evidence": ("192.168.1.1 said 'no'\n", ""),
    "seq": 2**64 - 1,
    "ip": IPv4Address("203.0.113.7"),
    "ip6": IPv6Address("2001:db8::7"),
    "tcp": 1,
    "tcp6": 30304,
    "udp": 65535,
    "udp6": 30303,
    "enr": "enr:-IS4Q",
}

MINIMAL_RECORD = Record(0)
FULL_RECORD = Record(
    2**64 - 1,
    tuple((key, _VALUES[key]) for key in ("ip", "ip6", "tcp", "tcp6", "udp", "udp6")),
)


class Unheard(Event):
    """An event of a later version: a publisher ignores what it does not know."""

    _event = "later.version"


def all_events() -> dict[str, Event]:
    """Every event that publishers are told, bare and in full, by its name."""
    shown: dict[str, Event] = {}
    for kind in _kinds(Event):
        if kind.__module__ == events.__name__ and "_event" in vars(kind) and not issubclass(kind, PublisherEvent):
            for port_kind in ({"kind": "mapping"}, {"kind": "pinhole"}) if issubclass(kind, PortEvent) else ({},):
                required = {field.name for field in fields(kind) if field.default is MISSING}
                bare = kind(**port_kind, **{name: _VALUES[name] for name in required})
                known = {field.name: _VALUES[field.name] for field in fields(kind) if field.name in _VALUES}
                shown |= {f"{bare.event}, bare": bare, f"{bare.event}, in full": kind(**port_kind, **known)}
    return shown


def _kinds(kind: type[Event]) -> Iterator[type[Event]]:
    for heir in kind.__subclasses__():
        yield heir
        yield from _kinds(heir)


FIRST_PORT, SECOND_PORT = 40123, 40456

_ADDRESS = IPv4Address("198.51.100.7")
_PORT = OpenPort(Protocol.TCP, 1, FIRST_PORT, _ADDRESS, "first", follow=True)

NOTHING = Endpoints()
FIRST = Endpoints((_PORT,), _ADDRESS, "a gateway")
SECOND = Endpoints((replace(_PORT, external_port=SECOND_PORT),), _ADDRESS, "a gateway")
LOST = Endpoints((), _ADDRESS, "a gateway")
FULL = Endpoints(
    (
        _PORT,
        OpenPort(Protocol.UDP, 53, 53, _ADDRESS, "naïve; rm -rf / $(reboot) 'x", static=True),
        OpenPort(Protocol.TCP, 65535, 65535, IPv6Address("2001:db8::7"), pinhole=True),
    ),
    _ADDRESS,
    "Ünïcode <gateway> '$(reboot)' & \"x\"\n\x00\x1b[31m\ud800",
    RecordChanged(seq=2**64 - 1, ip=_ADDRESS, tcp=FIRST_PORT, enr="enr:-IS4Q"),
)

STATES = {"nothing": NOTHING, "one port": FIRST, "nothing but the address": LOST, "all that it can say": FULL}
