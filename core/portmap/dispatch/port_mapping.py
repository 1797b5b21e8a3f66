"""The dispatcher: starts the path that the chosen backend declares - none, static or loop.

This is go-ethereum's `setupPortMapping` (p2p/server_nat.go) with data in the place of a type switch: the backend's
class says its `Kind`, and nothing here knows a backend by name.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol, assert_never

from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.dispatch.loop_path import run_loop_path
from portmap.dispatch.none_path import run_none_path
from portmap.dispatch.path_setup import PathSetup
from portmap.dispatch.static_path import StaticPath
from portmap.events import Event, MappingAdded, MappingRemoved, PinholeAdded, PinholeRemoved, PortEvent
from portmap.loop.inbox import Inbox, Register, Stop, Unregister
from portmap.loop.policy import Policy
from portmap.model import Key, Kind, PortRequest
from portmap.node.local_node import LocalNode, Record
from portmap.storage.journal_store import JournalStore

_log = logging.getLogger("portmap.dispatch")


class Observer(Protocol):
    """Who is told what happens; called in the path's thread, so it must not block."""

    def on_event(self, event: Event) -> None:
        """Something happened."""

    def on_record(self, record: Record) -> None:
        """The node's record really changed; address and ports are committed together."""

    def on_settled(self) -> None:
        """For now there is nothing more to come."""

    def on_end(self, error: BaseException | None) -> None:
        """The path has ended, by a stop or - with an error - by a fault."""


class PortMapping:
    """The running path. Every method may be called from any thread."""

    def __init__(self, road: PathSetup, node: LocalNode, observer: Observer | None, policy: Policy | None) -> None:
        self.nat = road.nat
        self.ipv6 = road.ipv6
        self._voice = road.translate
        self._node = node
        self._observer = observer
        self._told: list[Event] = []
        self._inbox = Inbox()
        self._path = self._choose(policy, road.state)
        self._thread = threading.Thread(target=self._run, name=f"portmap {self.nat.name}", daemon=True)

    def start(self) -> None:
        """Start the path's thread."""
        self._thread.start()

    def accepts(self, request: PortRequest) -> bool:
        """Whether the request makes sense here: a pinhole leads to a port of ours, not to one that a VPN draws."""
        return not (self.ipv6 and request.follow and request.internal_port <= 1)

    def register(self, request: PortRequest) -> None:
        """Keep this port open from now on."""
        self._inbox.put(Register(request))

    def unregister(self, key: Key) -> None:
        """Let this mapping go."""
        self._inbox.put(Unregister(key))

    def stop(self) -> None:
        """Ask the path to clean up and end; returns at once. A second stop gives up the cleaning up."""
        self._inbox.put(Stop())

    def join(self, timeout: float) -> bool:
        """Wait for the end; whether it came within `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def is_alive(self, within: float) -> bool:
        """Whether the path is at work: it was seen at its inbox within so many seconds."""
        return self._thread.is_alive() and time.monotonic() - self._inbox.last_seen < within

    # What the path's thread tells.

    def on_event(self, event: Event) -> None:
        """Called by the path: something happened."""
        said = self._voice(event)
        if said is None:
            return
        if isinstance(said, PortEvent):
            said = self._with_note(said)
        self._told.append(said)
        if self._observer is not None:
            self._observer.on_event(said)

    def _with_note(self, event: PortEvent) -> PortEvent:
        """The event, with what is known of another portmap of this host that holds the same port."""
        if event.error or not isinstance(event, MappingAdded | MappingRemoved | PinholeAdded | PinholeRemoved):
            return event
        note = self.nat.sharing_note(event.key)
        return replace(event, reason="; ".join(filter(None, (event.reason, note)))) if note else event

    def on_settled(self) -> None:
        """Called by the path: what was told so far belongs together, so it makes one record."""
        told, self._told = self._told, []
        record = self._node.follow(told)
        if self._observer is None:
            return
        if record is not None:
            self._observer.on_record(record)
        self._observer.on_settled()

    def _choose(self, policy: Policy | None, state: JournalStore | None) -> Callable[[], None]:
        match self.nat.kind:
            case Kind.NONE:
                return partial(run_none_path, self._inbox, self._node, self)
            case Kind.STATIC:
                return StaticPath(self.nat, self._inbox, self._node, self, policy).run
            case Kind.LOOP:
                return partial(run_loop_path, self.nat, self._inbox, self, policy, state, ipv6=self.ipv6)
            case _:
                assert_never(self.nat.kind)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._path()
        except BaseException as fault:  # noqa: BLE001  # a fault of ours: logged here, raised in whoever waits
            _log.exception("port mapping through %s ended by a fault", self.nat.name)
            error = fault
        if self._observer is not None:
            self._observer.on_end(error)


def setup_port_mapping(
    nat: Nat | str,
    node: LocalNode,
    observer: Observer | None = None,
    policy: Policy | None = None,
    state: JournalStore | None = None,
) -> PortMapping:
    """Start port mapping for a node, by the backend's declared kind; the node follows what happens.

    `nat` is a spec or a loaded backend; `state`, if any, remembers ports over restarts. Register ports on what is
    returned. Raises SpecError or PluginError.
    """
    road = PathSetup(load(nat) if isinstance(nat, str) else nat, state)
    running = PortMapping(road, node, observer, policy)
    running.start()
    return running
