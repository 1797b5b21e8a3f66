"""The library's front: one session that keeps ports open, tells what happens, and cleans up.

A session's state is what its events say; it is read under a lock that is never held during I/O.
"""

import atexit
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

from portmap.dispatch.path_setup import PathSetup
from portmap.dispatch.port_mapping import PortMapping
from portmap.errors import GatewayTimeout, PortmapError, SpecError
from portmap.events import Event, PortEvent, ProofEvent, PublisherEvent
from portmap.loop.policy import Policy
from portmap.model import DEFAULT_LIFETIME, Address, Key, Kind, Mapping, PortRequest, Protocol
from portmap.node.local_node import LocalNode, Record
from portmap.publishers.group import DRAIN, PublisherGroup
from portmap.session.event_stream import EventStream, Subscriber
from portmap.session.state import SessionState, record_changed
from portmap.storage.no_status_file import NoStatusFile
from portmap.syntax.mappings import MappingLike, check_distinct, check_openable, to_requests

if TYPE_CHECKING:  # a session without a publisher or a state folder does not import what they need
    from portmap.publishers.health import PublisherHealth
    from portmap.publishers.runner import PublisherRunner
    from portmap.reachability.prove_setting import ProveSetting
    from portmap.reachability.verdict import Reachability
    from portmap.session.prover import Prover
    from portmap.storage.status_file import StatusFile


class _PathObserver(NamedTuple):
    """What a path tells its session: `dispatch.port_mapping.Observer`."""

    on_event: Callable[[Event], None]
    on_record: Callable[[Record], None]
    on_settled: Callable[[], None]
    on_end: Callable[[BaseException | None], None]


class Session:
    """Ports kept open. Made by `portmap.open`; a context manager. Every method may be called from any thread."""

    def __init__(
        self,
        setups: Sequence[PathSetup],
        requests: Iterable[PortRequest],
        publishers: "Iterable[PublisherRunner]" = (),
        policy: Policy | None = None,
        node: LocalNode | None = None,
        lease: int = DEFAULT_LIFETIME,
        status_file: "StatusFile | NoStatusFile" = NoStatusFile(),  # noqa: B008  # it holds nothing
        prove: "ProveSetting | None" = None,
    ) -> None:
        self._lease = lease
        self._status_file = status_file
        self._policy = policy or Policy()
        self._publishers = PublisherGroup(publishers, self._on_event)
        self._node = node or LocalNode()
        self._changed = threading.Condition()
        self._requests: dict[Key, PortRequest] = {}
        self._state = SessionState()
        self._stream = EventStream()
        self._fault: BaseException | None = None
        self._ended = False
        self._stopping = False
        observer = _PathObserver(self._on_event, self._on_record, self._on_settled, self._on_end)
        self._paths = tuple(PortMapping(setup, self._node, observer, self._policy) for setup in setups)
        for path in self._paths:
            path.wakes(*(other for other in self._paths if other is not path))
        self._alive = len(self._paths)
        self._open = self._state.pinholes if self._paths[0].ipv6 else self._state.mappings
        for request in requests:
            self.add(request)
        self._prover = None if prove is None else self._make_prover(prove)
        atexit.register(self._close_at_exit)
        for path in self._paths:
            path.start()
        if self._prover is not None:
            self._prover.start()

    def __repr__(self) -> str:
        with self._changed:
            count = f"{len(self._open.keys() & self._requests.keys())} of {len(self._requests)} ports open"
            return f"<Session {self.gateway}, {'ended' if self._ended else count}>"

    # What holds ----------------------------------------------------------------------------------------------

    @property
    def kind(self) -> Kind:
        """Which path the session is on."""
        return self._paths[0].nat.kind

    @property
    def gateway(self) -> str:
        """How the backend names its gateway."""
        return str(self._paths[0].nat)

    @property
    def lifetime(self) -> int:
        """The seconds that are asked for where a mapping names none."""
        return self._lease

    @property
    def external_ip(self) -> Address | None:
        """The external address as the gateway last stated it, of whatever scope; None before."""
        return self._state.external_ip

    @property
    def requests(self) -> tuple[PortRequest, ...]:
        """The ports that shall be open."""
        with self._changed:
            return tuple(self._requests.values())

    @property
    def mappings(self) -> tuple[Mapping, ...]:
        """The ports that are open now."""
        with self._changed:
            return tuple(self._state.mappings.values())

    @property
    def pinholes(self) -> tuple[Mapping, ...]:
        """The ports that are open now over IPv6, at our own address."""
        with self._changed:
            return tuple(self._state.pinholes.values())

    @property
    def publishers(self) -> "tuple[PublisherHealth, ...]":
        """How each publisher is doing."""
        return self._publishers.statuses

    @property
    def reachability(self) -> "dict[Key, Reachability]":
        """The last proof from outside of each open port, by its key; empty without `prove`."""
        return {} if self._prover is None else self._prover.found

    @property
    def record(self) -> Record:
        """The node's public record: an immutable snapshot."""
        return self._node.record

    def raise_fault(self) -> None:
        """Raise PortmapError if an internal error, ours or a plugin's, ended the session, and not a stop."""
        if isinstance(self._fault, PortmapError):
            raise self._fault
        if self._fault is not None:
            raise PortmapError(f"the session ended because of an internal error: {self._fault!r}") from self._fault

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call a function with every event from the session's start (the last thousand of them), and None at its end.

        It must neither block, nor raise, nor call the session. Returns a function that ends the subscription.
        """
        return self._stream.subscribe(subscriber)

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Every event from the session's start (the last thousand of them) to its end; blocks in between.

        With `timeout` it ends once no event came for so many seconds.
        """
        return self._stream.events(timeout)

    def wait(self, timeout: float | None = None) -> tuple[Mapping, ...]:
        """Wait until every requested port is open; the open ports. Pinholes are not waited for beside mappings.

        Raises what the first missing one failed with (NATError) when `timeout` seconds are over or the session ends.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._complete() or self._ended, timeout)
            if self._complete():
                return tuple(self._open.values())
            self.raise_fault()
            raise self._why_incomplete(timeout)

    # What shall hold -----------------------------------------------------------------------------------------

    def add(self, mapping: MappingLike) -> None:
        """Keep another port open. Raises SpecError for what makes no sense, and for a port asked for before."""
        asked = check_openable(to_requests(mapping, self._lease), ipv6_only=all(path.ipv6 for path in self._paths))
        with self._changed:
            check_distinct((*self._requests.values(), *asked))
            self._requests |= {request.key: request for request in asked}
        for path in self._paths:
            wanted = [request for request in asked if path.accepts(request)]
            self._status_file.add(wanted, ipv6=path.ipv6)
            for request in wanted:
                path.register(request)

    def remove(self, key: Key | tuple[Protocol, int]) -> None:
        """Let one mapping, (protocol, internal port), go. Raises SpecError if it was never asked for."""
        key = Key(*key)
        with self._changed:
            if self._requests.pop(key, None) is None:
                raise SpecError(f"{key} was never asked for")
            self._state.forget_failure(key)
            self._changed.notify_all()  # what is left may be complete
        for path in self._paths:
            path.unregister(key)
        self._status_file.remove(key)
        self._status_file.write()

    def reassert(self) -> None:
        """Have every publisher say again what holds now, as if its target had forgotten."""
        self._publishers.reassert()

    def is_alive(self, within: float = 30.0) -> bool:
        """Whether every path is at work; `within` seconds, above the longest call to a backend."""
        return all(path.is_alive(within) for path in self._paths)

    def stop(self) -> None:
        """Ask for the end and return at once; `close` waits for it. Safe in a signal handler."""
        if not self._stopping:
            self._stopping = True
            if self._prover is not None:
                self._prover.close()
            for path in self._paths:
                path.stop()

    def close(self) -> None:
        """Delete what is held, tell the publishers, end. Takes 3 seconds at the most; twice is harmless."""
        self.stop()
        deadline = time.monotonic() + self._policy.clean_up + 2 * DRAIN
        for path in self._paths:
            if not path.join(max(0.0, deadline - time.monotonic())):
                self._end()

    def _close_at_exit(self) -> None:
        """The interpreter ends, and the owner has not closed the session."""
        warnings.warn(f"{self!r} was never closed: use `with`, or call close()", ResourceWarning, stacklevel=1)
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What the path tells, in its thread ----------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        """Take note of an event and pass it on."""
        with self._changed:
            self._state.apply(event)
            self._stream.publish(event)
            self._changed.notify_all()
        if not isinstance(event, PortEvent) or event.key in self._requests:  # a removed port has no row any more
            self._status_file.apply(event)
        if isinstance(event, PublisherEvent | ProofEvent):
            self._status_file.write()  # it belongs to no burst of the path's
        self._publishers.handle(event)

    def _make_prover(self, setting: "ProveSetting") -> "Prover":
        from portmap.session.prover import Prover  # noqa: PLC0415  # a session without `prove` does not import it

        return Prover(setting, lambda: self.mappings, self._on_event, self._paths[0].repair, lambda: self.gateway)

    def _on_record(self, record: Record) -> None:
        """Announce a new record, signed where a publisher signs."""
        self._publishers.sign(record, lambda text: self._on_event(record_changed(record, text)))

    def _on_settled(self) -> None:
        """What was told so far belongs together: write it where `portmap status` reads it."""
        self._status_file.write()

    def _on_end(self, error: BaseException | None) -> None:
        """A path has ended. With the last: let the publishers finish, then end every wait and every iteration."""
        with self._changed:
            self._fault = self._fault or error
            self._alive -= 1
        if self._alive:
            if error is not None:
                self.stop()
            return
        self._publishers.close()
        self._end()

    def _end(self) -> None:
        atexit.unregister(self._close_at_exit)
        for path in self._paths:
            path.nat.close()
        with self._changed:
            if not self._ended:
                self._ended = True
                self._status_file.close()
                self._stream.close()
                self._changed.notify_all()

    def _complete(self) -> bool:
        return self.kind is Kind.NONE or self._requests.keys() <= self._open.keys()

    def _why_incomplete(self, timeout: float | None) -> PortmapError:
        missing = [key for key in self._requests if key not in self._open]
        reason = self._state.why_missing(missing)
        if reason is not None:
            return reason
        when = "before the session ended" if self._ended else f"within {timeout:g} s" if timeout else "yet"
        return GatewayTimeout(f"{self.gateway} has not mapped {missing[0]} {when}")
