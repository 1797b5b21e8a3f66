"""Events and records to show to a publisher: each of every kind bare, and with all that it can say.

Law: the classes come from `portmap.events` and `portmap.pinhole` themselves, so a new one is shown as soon as it
exists.
"""

from collections.abc import Iterator
from dataclasses import MISSING, fields
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from portmap import events, pinhole
from portmap.events import Event
from portmap.model import Protocol, Scope
from portmap.record import Record

_HOMES = {events.__name__, pinhole.__name__}
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
    "lifetime": 0xFFFFFFFF,
    "name": "naïve; rm -rf /",
    "static": True,
    "follow": True,
    "ms": 12,
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

    event = "later.version"


def all_events() -> dict[str, Event]:
    """Every event bare and in full, by its name."""
    shown: dict[str, Event] = {}
    for kind in _kinds(Event):
        if kind.__module__ in _HOMES and "event" in vars(kind):
            required = {field.name for field in fields(kind) if field.default is MISSING}
            shown[f"{kind.event}, bare"] = kind(**{name: _VALUES[name] for name in required})
            shown[f"{kind.event}, in full"] = kind(
                **{field.name: _VALUES[field.name] for field in fields(kind) if field.name in _VALUES}
            )
    return shown


def _kinds(kind: type[Event]) -> Iterator[type[Event]]:
    for heir in kind.__subclasses__():
        yield heir
        yield from _kinds(heir)
