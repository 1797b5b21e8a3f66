"""Prover: proves from outside, again and again, that the ports of a session are reachable, and has them mended.

One daemon thread. It contacts the responder that the user named, and nothing else. Bounded: one check at a time.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from portmap.events import Event, MappingReachable, MappingUnreachable
from portmap.model import Key, Mapping, PortRequest
from portmap.network.egress import client_of
from portmap.reachability.check import Endpoint, check_port
from portmap.reachability.echo import EchoClient
from portmap.reachability.proof import SETTLING, Proof
from portmap.reachability.prove_setting import ProveSetting
from portmap.reachability.repair_step import RepairStep
from portmap.reachability.verdict import Reachability

STEP_TIME = 15.0  # seconds that the gateway is given for a step, before the next one is due all the same
_POLL = 0.5  # seconds; how soon another mapping is noticed
_log = logging.getLogger("portmap.prove")


@dataclass(slots=True)
class Prover:
    """`mappings` gives the ports that are open now, `emit` tells an event, `repair` has the loop take a step.

    `gateway` gives the name of the gateway that they are open at.
    """

    setting: ProveSetting
    mappings: Callable[[], Iterable[Mapping]]
    emit: Callable[[Event], None]
    repair: Callable[[Key, RepairStep], None]
    gateway: Callable[[], str]
    check: Callable[[PortRequest, Endpoint, EchoClient], Reachability] = lambda request, endpoint, responder: (
        check_port(request, endpoint, responder, hairpin=False)
    )
    clock: Callable[[], float] = time.monotonic
    _proofs: dict[Key, tuple[Mapping, Proof]] = field(default_factory=dict)
    _steps: dict[Key, float] = field(default_factory=dict)
    """The steps that are under way, and until when each is waited for."""
    _found: dict[Key, Reachability] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Prove from now on, on a thread of its own."""
        threading.Thread(target=self._run, name="portmap prove", daemon=True).start()

    def close(self) -> None:
        """Check no more; a check that is under way tells nothing."""
        self._over.set()

    @property
    def found(self) -> dict[Key, Reachability]:
        """The last verdict on each open port."""
        with self._lock:
            return dict(self._found)

    def prove_next(self) -> bool:
        """Check the port that is due, if one is. Returns whether there was one."""
        now = self.clock()
        self._follow(now)
        due = [(proof.check_at, key) for key, (_, proof) in self._proofs.items() if proof.check_at <= now]
        due = [(at, key) for at, key in due if key not in self._steps]
        if not due:
            return False
        key = min(due)[1]
        mapping, before = self._proofs[key]
        client = client_of(self.gateway(), self.setting.responder.interface, relays=self.setting.relays)
        endpoint = Endpoint(mapping.external_ip, mapping.external_port, client=client, relayed=self.setting.relays)
        found = self.check(_request_of(mapping), endpoint, self.setting.responder)
        if self._over.is_set():
            return True
        after, step = before.after(found, self.clock(), repairable=not mapping.static)
        self._proofs[key] = mapping, after
        with self._lock:
            self._found[key] = found
        self._tell(mapping, before, after, found, step)
        if step is not None:
            self._steps[key] = self.clock() + STEP_TIME
            self.repair(key, step)
        return True

    def _follow(self, now: float) -> None:
        """Take note of the ports that are open now."""
        current = {mapping.key: mapping for mapping in self.mappings()}
        for key in self._proofs.keys() - current.keys():
            del self._proofs[key]
            self._steps.pop(key, None)
            with self._lock:
                self._found.pop(key, None)
        for key, mapping in current.items():
            before = self._proofs.get(key)
            if key in self._steps and before is not None:
                self._await_step(key, mapping, before, now)
                continue
            if before is None:
                self._proofs[key] = mapping, Proof(self.setting.every, now)
            elif _place(before[0]) != _place(mapping):
                self._proofs[key] = mapping, before[1].moved(now)

    def _await_step(self, key: Key, mapping: Mapping, before: tuple[Mapping, Proof], now: float) -> None:
        """A step is under way: it is proved once the gateway has granted the mapping anew, or has had time enough.

        Each grant tells a mapping of its own, even where nothing in it has changed.
        """
        if mapping is not before[0] or now >= self._steps[key]:
            del self._steps[key]
            granted_at = now - _POLL  # at the earliest
            self._proofs[key] = mapping, replace(before[1], check_at=max(before[1].check_at, granted_at + SETTLING))

    def _tell(
        self, mapping: Mapping, before: Proof, after: Proof, found: Reachability, step: RepairStep | None
    ) -> None:
        if step is not None:
            _log.info("%s is not reachable: the mapping is %s", mapping.key, step.value)
        if after.reachable == before.reachable:
            return
        kind = MappingReachable if after.reachable else MappingUnreachable
        reason = found.reason if step is None else f"{found.reason}; the mapping is {step.value}"
        self.emit(kind.of(mapping, how=found.how, reason="" if after.reachable else reason))

    def _run(self) -> None:
        while not self._over.is_set():
            if not self.prove_next():
                self._over.wait(_POLL)


def _place(mapping: Mapping) -> tuple[object, int]:
    return mapping.external_ip, mapping.external_port


def _request_of(mapping: Mapping) -> PortRequest:
    port = mapping.external_port if mapping.follow else mapping.internal_port
    return PortRequest(mapping.protocol, port, mapping.external_port, mapping.name, host=mapping.host)
