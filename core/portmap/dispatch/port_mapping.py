"""The setup dispatcher: starts the path that the backend's declared Kind selects: none, static or loop.

This is go-ethereum's `setupPortMapping` (p2p/server_nat.go). The type switch is replaced by data: the backend's class
declares its `Kind`, and no backend is known here by name.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, assert_never

from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.dispatch.loop_path import run_loop_path
from portmap.dispatch.path_setup import PathSetup
from portmap.events import (
    Event,
    GatewayEvent,
    GatewayFound,
    GatewayLost,
    GatewayRebooted,
    NetworkChanged,
    PortAdded,
    PortEvent,
    PortRemoved,
)
from portmap.loop.inbox import Inbox, Recheck, Register, Repair, Stop, Unregister
from portmap.loop.policy import Policy
from portmap.model import Key, Kind, PortRequest
from portmap.node.local_node import LocalNode, Record
from portmap.reachability.repair_step import RepairStep

if TYPE_CHECKING:  # a session without a state folder does not import it
    from portmap.storage.journal_store import JournalStore

_log = logging.getLogger("portmap.dispatch")


class Observer(Protocol):
    """Is told what happens. Called in the path's thread, so it must not block."""

    def on_event(self, event: Event) -> None:
        """Something happened."""

    def on_record(self, record: Record) -> None:
        """The node's record really changed; address and ports are committed together."""

    def on_settled(self) -> None:
        """What was told so far belongs together."""

    def on_end(self, error: BaseException | None) -> None:
        """The path has ended: by a stop, or with an error by a fault."""


class PortMapping:
    """The running path. Every method may be called from any thread."""

    def __init__(self, setup: PathSetup, node: LocalNode, observer: Observer | None, policy: Policy | None) -> None:
        self.nat = setup.nat
        self.ipv6 = setup.ipv6
        self._translate = setup.translate
        self._node = node
        self._observer = observer
        self._told: list[Event] = []
        self._inbox = Inbox()
        self._others: tuple[PortMapping, ...] = ()
        self._lost = False
        if setup.optional:
            policy = (policy or Policy())._replace(optional=True)
        self._path = self._choose(policy, setup)
        self._thread = threading.Thread(target=self._run, name=f"portmap {self.nat.name}", daemon=True)

    def __repr__(self) -> str:
        return f"<PortMapping {self.nat}>"

    def start(self) -> None:
        """Start the path's thread."""
        self._thread.start()

    def accepts(self, request: PortRequest) -> bool:
        """Whether the request makes sense here: a pinhole leads to a port of ours, not to one that a VPN chooses."""
        return request.leads_here or not self.ipv6

    def register(self, request: PortRequest) -> None:
        """Keep this port open from now on."""
        self._inbox.put(Register(request))

    def unregister(self, key: Key) -> None:
        """Close this port."""
        self._inbox.put(Unregister(key))

    def wakes(self, *others: "PortMapping") -> None:
        """What this path learns of a restart or of the network makes these ask again, too. Call before `start`."""
        self._others = others

    def check_again(self, reason: str) -> None:
        """Another path learnt something that may concern this one."""
        self._inbox.put(Recheck(reason))

    def repair(self, key: Key, step: RepairStep) -> None:
        """A proof from outside failed for this mapping: have the loop take a step."""
        self._inbox.put(Repair(key, step))

    def stop(self) -> None:
        """Ask the path to clean up and end; returns at once. A second stop gives up the cleaning up."""
        self._inbox.put(Stop())

    def join(self, timeout: float) -> bool:
        """Wait for the end; whether it came within `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def is_alive(self, within: float) -> bool:
        """Whether the path read its inbox within so many seconds."""
        return self._thread.is_alive() and time.monotonic() - self._inbox.last_seen < within

    # Called by the path, in its thread -----------------------------------------------------------------------

    def on_event(self, event: Event) -> None:
        """Something happened."""
        self._wake_others(event)
        translated = self._translate(event)
        if translated is None:
            return
        if isinstance(translated, PortEvent):
            translated = self._with_note(translated)
        self._told.append(translated)
        if self._observer is not None:
            self._observer.on_event(translated)

    def _with_note(self, event: PortEvent) -> PortEvent:
        """The event, with the note of the last grant, or what is known of another portmap that holds the same port."""
        if event.error or not isinstance(event, PortAdded | PortRemoved):
            return event
        note = self.nat.grant_note(event.key)
        return replace(event, reason="; ".join(filter(None, (event.reason, note)))) if note else event

    def on_settled(self) -> None:
        """What was told so far belongs together, so it makes one record."""
        told, self._told = self._told, []
        record = self._node.follow(told)
        if self._observer is None:
            return
        if record is not None:
            self._observer.on_record(record)
        self._observer.on_settled()

    def _wake_others(self, event: Event) -> None:
        """A gateway's restart, its return and a change of our network concern every path."""
        back = self._lost and isinstance(event, GatewayFound)
        if isinstance(event, GatewayEvent):
            self._lost = isinstance(event, GatewayLost)
        if back or isinstance(event, GatewayRebooted | NetworkChanged):
            for other in self._others:
                other.check_again(event.event)

    def _choose(self, policy: Policy | None, setup: PathSetup) -> Callable[[], None]:
        match self.nat.kind:
            case Kind.NONE:
                from portmap.dispatch.none_path import run_none_path  # noqa: PLC0415  # most sessions have a gateway

                return partial(run_none_path, self._inbox, self._node, self)
            case Kind.STATIC:
                from portmap.dispatch.static_path import StaticPath  # noqa: PLC0415  # as above

                return StaticPath(self.nat, self._inbox, self._node, self, policy).run
            case Kind.LOOP:
                known = setup.state, setup.open_ports
                return partial(run_loop_path, self.nat, self._inbox, self, policy, *known, ipv6=self.ipv6)
            case _:
                assert_never(self.nat.kind)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._path()
        except BaseException as fault:  # noqa: BLE001  # a fault of ours: logged here, raised by Session.wait
            _log.exception("port mapping through %s ended because of an internal error", self.nat.name)
            error = fault
        if self._observer is not None:
            self._observer.on_end(error)


def setup_port_mapping(
    nat: Nat | str,
    node: LocalNode,
    observer: Observer | None = None,
    policy: Policy | None = None,
    state: "JournalStore | None" = None,
) -> PortMapping:
    """Start port mapping for a node, by the backend's declared kind; the node follows what happens.

    `nat` is a spec or a loaded backend; `state`, if any, remembers ports over restarts. Register ports on the returned
    object. Raises SpecError or PluginError.
    """
    setup = PathSetup(load(nat) if isinstance(nat, str) else nat, state)
    running = PortMapping(setup, node, observer, policy)
    running.start()
    return running
