"""SessionStatus: what `portmap status` shows of a session: a value, its fold over events, its JSON.

Pure; times are unix seconds and arguments. Reading any file gives a SessionStatus or raises Garbled.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from typing import Any, TypeAlias, TypeVar

from portmap.errors import Garbled
from portmap.events import (
    Event,
    ExternalIPChanged,
    GatewayFound,
    GatewayLost,
    MappingReachable,
    PortEvent,
    PortFailed,
    PortLost,
    PortRemoved,
    ProofEvent,
    PublisherEvent,
    PublisherOk,
)
from portmap.model import Key, PortRequest

T = TypeVar("T", "PortStatus", "PublisherStatus", "SessionStatus")

VERSION = 1
UP, PENDING, FAILED, LOST = "up", "pending", "failed", "lost"


@dataclass(frozen=True, slots=True)
class PortStatus:
    """One wanted port. `state`: up, pending (not tried yet), failed or lost; `expires` None: permanent, or not up.

    `reachable`: the last proof from outside; None without one. `host`: the neighbour that it leads to, empty for this
    host. `follow`: the program listens on the external port.
    """

    protocol: str
    internal_port: int
    name: str = ""
    ipv6: bool = False
    state: str = PENDING
    external_ip: str | None = None
    external_port: int | None = None
    expires: float | None = None
    since: float = 0.0
    reason: str = ""
    reachable: bool | None = None
    host: str = ""
    follow: bool = False

    @property
    def program_port(self) -> int | None:
        """The port on which the program listens; None where that is not known."""
        return self.external_port if self.follow else self.internal_port


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """One publisher: whether it took what was last published, since when, else why not."""

    name: str
    ok: bool
    since: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """One session. `found`: None until the gateway has answered or not. `relays`: the backend hands on what arrives."""

    pid: int
    instance: str
    nat: str
    started: float
    updated: float
    gateway: str = ""
    found: bool | None = None
    external_ip: str | None = None
    scope: str = "unknown"
    ports: tuple[PortStatus, ...] = ()
    publishers: tuple[PublisherStatus, ...] = ()
    relays: bool = False

    @property
    def healthy(self) -> bool:
        """Whether all is as it was asked for: every port open, every publisher content. A pinhole is a bonus."""
        wanted = [port for port in self.ports if not port.ipv6] or self.ports
        return all(port.state == UP and port.reachable is not False for port in wanted) and all(
            publisher.ok for publisher in self.publishers
        )

    def with_requests(self, requests: Iterable[PortRequest], *, ipv6: bool) -> "SessionStatus":
        """The same with these ports wanted, too.

        Beside mappings a pinhole is a bonus: it gets a row when something has happened to it.
        """
        if ipv6 and any(not port.ipv6 for port in self.ports):
            return self
        wanted = tuple(PortStatus(str(it.protocol), it.internal_port, it.name, ipv6, host=it.host) for it in requests)
        return replace(self, ports=(*self.ports, *wanted))

    def after(self, event: Event, now: float) -> "SessionStatus":
        """What holds once this has happened."""
        changed = replace(self, updated=now)
        match event:
            case GatewayFound() | GatewayLost():
                return replace(changed, gateway=event.gateway, found=isinstance(event, GatewayFound))
            case ExternalIPChanged():
                return replace(changed, external_ip=str(event.external_ip), scope=str(event.scope))
            case PublisherEvent():
                ok = isinstance(event, PublisherOk)
                return self.with_publisher(PublisherStatus(event.publisher, ok, now, event.reason), now)
            case ProofEvent():
                return replace(changed, ports=tuple(_proved(port, event) for port in self.ports))
            case PortEvent():
                return replace(changed, ports=self._ports_after(event, now))
        return self

    def _ports_after(self, event: PortEvent, now: float) -> tuple[PortStatus, ...]:
        match event:
            case PortRemoved():
                return tuple(port for port in self.ports if not _is_of(port, event))
            case PortFailed() if event.external_port:
                return tuple(_still_up(port, event) for port in self.ports)
        return self._with(_noticed(event, now))

    def without(self, key: Key) -> "SessionStatus":
        """The same without a port that is wanted no more."""
        kept = tuple(port for port in self.ports if (port.protocol, port.internal_port, port.host) != key)
        return replace(self, ports=kept)

    def with_publisher(self, publisher: PublisherStatus, now: float) -> "SessionStatus":
        """The same with a publisher's latest word."""
        others = tuple(it for it in self.publishers if it.name != publisher.name)
        return replace(self, updated=now, publishers=tuple(sorted((*others, publisher), key=lambda it: it.name)))

    def _with(self, port: PortStatus) -> tuple[PortStatus, ...]:
        known = {_identity(it): it for it in self.ports}
        before = known.get(_identity(port))
        same = before is not None and before.state == port.state
        kept = replace(port, since=before.since, reachable=before.reachable) if before and same else port
        return tuple((known | {_identity(port): kept}).values())


_Identity: TypeAlias = tuple[str, int, bool, str]


def _identity(port: PortStatus) -> _Identity:
    return port.protocol, port.internal_port, port.ipv6, port.host


def _is_of(port: PortStatus, event: PortEvent) -> bool:
    return _identity(port) == (event.protocol, event.internal_port, event.kind == "pinhole", event.host)


def _noticed(event: PortEvent, now: float) -> PortStatus:
    is_pinhole = event.kind == "pinhole"
    port = PortStatus(str(event.protocol), event.internal_port, event.name, is_pinhole, since=now, host=event.host)
    match event:
        case PortFailed():
            return replace(port, state=FAILED, reason=event.reason)
        case PortLost():
            return replace(port, state=LOST, reason=event.reason)
    return replace(
        port,
        state=UP,
        external_ip=None if event.external_ip is None else str(event.external_ip),
        external_port=event.external_port,
        expires=now + event.lifetime if event.lifetime else None,
        reason=event.reason,
        follow=event.follow is True,
    )


def _proved(port: PortStatus, event: ProofEvent) -> PortStatus:
    """A proof from outside concerns the IPv4 mapping."""
    if _identity(port) != (event.protocol, event.internal_port, False, event.host):
        return port
    return replace(port, reachable=isinstance(event, MappingReachable), reason=event.reason)


def _still_up(port: PortStatus, event: PortEvent) -> PortStatus:
    """A renewal failed, and the lease has not run out."""
    return replace(port, reason=event.reason) if _is_of(port, event) else port


def to_text(notice: SessionStatus) -> str:
    """The notice as a file's content."""
    return json.dumps({"v": VERSION, **asdict(notice)}) + "\n"


def from_text(text: str) -> SessionStatus:
    """The notice that a file's content stands for. Raises Garbled for whatever is none."""
    try:
        content: dict[str, Any] = json.loads(text)
        if content.pop("v") != VERSION:
            raise Garbled(f"the status has another version than {VERSION}")
        ports = tuple(_checked(PortStatus(**row)) for row in content.pop("ports"))
        publishers = tuple(_checked(PublisherStatus(**row)) for row in content.pop("publishers"))
        return replace(_checked(SessionStatus(**content)), ports=ports, publishers=publishers)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Garbled(f"no status: {type(error).__name__}: {error}") from error


_NUMBER = (int, float)
_KINDS: dict[str, tuple[type, ...]] = {
    str(int): (int,),
    str(str): (str,),
    str(bool): (bool,),
    str(float): _NUMBER,
    str(bool | None): (bool, type(None)),
    str(str | None): (str, type(None)),
    str(int | None): (int, type(None)),
    str(float | None): (*_NUMBER, type(None)),
    str(tuple[PortStatus, ...]): (tuple,),
    str(tuple[PublisherStatus, ...]): (tuple,),
}


def _checked(value: T) -> T:
    """The value, if each field holds what its annotation says. Raises TypeError, ValueError and OverflowError."""
    for field in fields(value):
        held, due = getattr(value, field.name), _KINDS[str(field.type)]
        if not isinstance(held, due):
            raise TypeError(f"{field.name} is {held!r}")
        if isinstance(held, _NUMBER) and not isfinite(held):  # Python's JSON has NaN and Infinity
            raise ValueError(f"{field.name} is {held!r}")
    return value
