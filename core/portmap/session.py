"""The library's front: one session that keeps ports open, tells what happens, and cleans up.

Law: a session's state is what its events say; it is read under a lock that is never held during I/O.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from portmap import errors
from portmap.dispatch import PortMapping
from portmap.errors import GatewayTimeout, NATError, PortmapError, SpecError
from portmap.events import (
    Event,
    ExternalIPChanged,
    GatewayEvent,
    GatewayFound,
    GatewayLost,
    MappingAdded,
    MappingChanged,
    MappingEvent,
    MappingFailed,
    MappingLost,
    MappingRemoved,
    MappingRenewed,
    RecordChanged,
)
from portmap.loop import Policy
from portmap.model import DEFAULT_LIFETIME, Address, Key, Kind, Mapping, PortRequest
from portmap.nat import Nat, load
from portmap.node import LocalNode, Record
from portmap.publishing import Desk, open_desk
from portmap.requests import check_distinct, parse_mapping

BACKLOG = 1000  # events kept for a listener that comes late
DRAIN = 0.3  # seconds that publishers get to finish after the end


class Session:
    """Ports kept open. Made by `portmap.open`; a context manager. Every method may be called from any thread."""

    def __init__(
        self,
        nat: Nat,
        requests: Iterable[PortRequest],
        desks: Iterable[Desk] = (),
        policy: Policy | None = None,
        node: LocalNode | None = None,
    ) -> None:
        self._policy = policy or Policy()
        self._desks = tuple(desks)
        self._signer = next((desk for desk in self._desks if desk.signs), None)
        self._node = node or LocalNode()
        self._changed = threading.Condition()
        self._requests: dict[Key, PortRequest] = {}
        self._mappings: dict[Key, Mapping] = {}
        self._failures: dict[Key, PortmapError] = {}
        self._gateway_failure: PortmapError | None = None
        self._external_ip: Address | None = None
        self._backlog: deque[Event] = deque(maxlen=BACKLOG)
        self._subscribers: list[SimpleQueue[Event | None]] = []
        self._fault: BaseException | None = None
        self._ended = False
        self._stopping = False
        self._running = PortMapping(nat, self._node, self, self._policy)
        for request in requests:
            self.add(request)
        self._running.start()

    # What holds ----------------------------------------------------------------------------------------------

    @property
    def kind(self) -> Kind:
        """Which path the session is on."""
        return self._running.nat.kind

    @property
    def gateway(self) -> str:
        """How the backend names its gateway."""
        return str(self._running.nat)

    @property
    def external_ip(self) -> Address | None:
        """The external address as the gateway last stated it, of whatever scope; None before."""
        return self._external_ip

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """The ports that are open now."""
        with self._changed:
            return tuple(self._mappings.values())

    @property
    def record(self) -> Record:
        """The node's public record: an immutable snapshot."""
        return self._node.record

    def raise_fault(self) -> None:
        """Raise PortmapError if the session ended by a fault of ours or of a plugin, not by a stop."""
        if self._fault is not None:
            raise PortmapError(f"the session ended by a fault: {self._fault!r}") from self._fault

    def events(self) -> Iterator[Event]:
        """Every event from the session's start (the last thousand of them) to its end; blocks in between."""
        subscriber: SimpleQueue[Event | None] = SimpleQueue()
        with self._changed:
            for event in self._backlog:
                subscriber.put(event)
            if self._ended:
                subscriber.put(None)
            self._subscribers.append(subscriber)
        try:
            yield from iter(subscriber.get, None)
        finally:
            with self._changed:
                self._subscribers.remove(subscriber)

    def wait(self, timeout: float | None = None) -> tuple[Mapping, ...]:
        """Wait until every requested port is open; the open ports.

        Raises what the first missing one failed with (NATError) when `timeout` seconds are over or the session ends.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._complete() or self._ended, timeout)
            if self._complete():
                return tuple(self._mappings.values())
            self.raise_fault()
            raise self._why_incomplete(timeout)

    # What shall hold -----------------------------------------------------------------------------------------

    def add(self, mapping: str | PortRequest) -> None:
        """Keep another port open. Raises SpecError for nonsense and for a port that is asked for already."""
        asked = (mapping,) if isinstance(mapping, PortRequest) else parse_mapping(mapping)
        with self._changed:
            check_distinct((*self._requests.values(), *asked))
            self._requests |= {request.key: request for request in asked}
        for request in asked:
            self._running.register(request)

    def remove(self, key: Key) -> None:
        """Let one mapping, (protocol, internal port), go. Raises SpecError if it was never asked for."""
        with self._changed:
            if self._requests.pop(key, None) is None:
                raise SpecError(f"{key[0]} {key[1]} was never asked for")
            self._failures.pop(key, None)
        self._running.unregister(key)

    def stop(self) -> None:
        """Ask for the end and return at once; `close` waits for it. Safe in a signal handler."""
        if not self._stopping:
            self._stopping = True
            self._running.stop()

    def close(self) -> None:
        """Delete what is held, tell the publishers, end. Takes 3 seconds at the most; twice is harmless."""
        self.stop()
        if not self._running.join(self._policy.clean_up + 2 * DRAIN):
            self._end(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What the path tells, in its thread ----------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        """Take note of an event and pass it on."""
        with self._changed:
            self._note(event)
            self._backlog.append(event)
            for subscriber in self._subscribers:
                subscriber.put(event)
            self._changed.notify_all()
        for desk in self._desks:
            desk.tell(event)

    def on_record(self, record: Record) -> None:
        """Announce a new record, signed where a publisher signs."""
        if self._signer is None:
            self.on_event(_record_changed(record, ""))
        else:
            self._signer.sign(record, lambda text: self.on_event(_record_changed(record, text)))

    def on_end(self, error: BaseException | None) -> None:
        """The path has ended: let the publishers finish, then end every wait and every iteration."""
        for desk in self._desks:
            desk.close()
        deadline = time.monotonic() + DRAIN
        for desk in self._desks:
            desk.join(max(0.0, deadline - time.monotonic()))
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        with self._changed:
            self._fault = self._fault or error
            if not self._ended:
                self._ended = True
                for subscriber in self._subscribers:
                    subscriber.put(None)
                self._changed.notify_all()

    def _note(self, event: Event) -> None:
        match event:
            case MappingAdded() | MappingChanged() | MappingRenewed():
                self._mappings[event.key] = _mapping(event)
                self._failures.pop(event.key, None)
            case MappingLost() | MappingRemoved():
                self._mappings.pop(event.key, None)
            case MappingFailed():
                self._failures[event.key] = _as_error(event)
            case ExternalIPChanged():
                self._external_ip = event.external_ip
            case GatewayFound():
                self._gateway_failure = None
            case GatewayLost():
                self._gateway_failure = _as_error(event)

    def _complete(self) -> bool:
        return self.kind is Kind.NONE or self._requests.keys() <= self._mappings.keys()

    def _why_incomplete(self, timeout: float | None) -> PortmapError:
        missing = [key for key in self._requests if key not in self._mappings]
        for key in missing:
            if key in self._failures:
                return self._failures[key]
        if self._gateway_failure is not None:
            return self._gateway_failure
        protocol, port = missing[0]
        when = "before the session ended" if self._ended else f"within {timeout:g} s"
        return GatewayTimeout(f"{self.gateway} has not mapped {protocol} {port} {when}")


def open(  # noqa: A001  # portmap.open reads best
    nat: str | Nat = "any",
    mappings: Iterable[str | PortRequest] = (),
    *,
    lease: int = DEFAULT_LIFETIME,
    ip_interval: float = 60.0,
    publish: Iterable[str] = (),
    node: LocalNode | None = None,
) -> Session:
    """Open ports and keep them open: `with portmap.open("pmp:192.168.1.1", ["web=443:8443", "30303/both"]) as session`.

    `nat` and `publish` are specs, `mappings` texts `[NAME=][EXT:]INT[/tcp|udp|both]` or PortRequests, `lease` the
    seconds to ask for where a text is given, `ip_interval` the seconds between two looks at the external address.
    `node` is the caller's own LocalNode, if it has one. Returns at once; nothing was sent yet when this raises:
    SpecError for what makes no sense, PluginError for a broken plugin.
    """
    requests = tuple(
        request
        for mapping in mappings
        for request in ((mapping,) if isinstance(mapping, PortRequest) else parse_mapping(mapping, lease))
    )
    check_distinct(requests)
    if not ip_interval > 0:
        raise SpecError(f"ip_interval {ip_interval} makes no sense: use a number of seconds above 0")
    gateway = load(nat) if isinstance(nat, str) else nat
    desks = [open_desk(spec) for spec in publish]
    return Session(gateway, requests, desks, Policy(ip_interval=ip_interval), node)


def _mapping(event: MappingEvent) -> Mapping:
    return Mapping(
        event.protocol,
        event.internal_port,
        event.external_port or 0,
        event.lifetime or 0,
        event.external_ip,
        event.name,
        event.static or False,
    )


def _as_error(event: MappingEvent | GatewayEvent) -> PortmapError:
    """The error that an event reports, as the class it names."""
    kind = getattr(errors, event.error, NATError)
    error: PortmapError = kind(event.reason)
    return error


def _record_changed(record: Record, enr: str) -> RecordChanged:
    return RecordChanged(
        seq=record.seq, ip=record.ip, ip6=record.ip6, tcp=record.tcp, udp=record.udp, udp6=record.udp6, enr=enr
    )
