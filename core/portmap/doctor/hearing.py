"""Everybody is asked at once, each on a thread of its own, and heard until the time is over.

Law: the end comes in time whatever a backend does; who has not answered by then is said not to have. The threads are
daemons and hold up nobody.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address
from queue import Empty, SimpleQueue
from threading import Thread

from portmap.doctor.findings import Answer
from portmap.doctor.panel import Witness
from portmap.errors import GatewayTimeout, NATError, NoGateway, PluginError, PortmapError, SpecError
from portmap.gateways import local_address_towards
from portmap.model import Listed
from portmap.nat import Nat

PATIENCE = 4.5  # seconds; a silent NAT-PMP gateway is given up after 3.75, a search for UPnP after 2.5
_log = logging.getLogger("portmap.doctor")


class Hearing:
    """Asks as soon as it is made; `answers` waits for them. `until` is on the monotonic clock."""

    def __init__(self, witnesses: Iterable[Witness], patience: float = PATIENCE) -> None:
        self._witnesses = tuple(witnesses)
        self._until = time.monotonic() + patience
        self._patience = patience
        self._inbox: SimpleQueue[tuple[Witness, Answer | None]] = SimpleQueue()
        self._doors: dict[Witness, Nat] = {}
        for witness in self._witnesses:
            Thread(target=self._run, args=(witness,), name=f"doctor {witness.name}", daemon=True).start()

    def answers(self) -> tuple[Answer, ...]:
        """What everybody said, in the order of the witnesses; who takes no part is left out."""
        heard = dict(self.as_they_come())
        answers = [heard.get(witness, self._silence(witness)) for witness in self._witnesses]
        return tuple(answer for answer in answers if answer)

    def as_they_come(self) -> Iterator[tuple[Witness, Answer | None]]:
        """Each answer when it is there, until all are in or the time is over; None for who takes no part. Once."""
        for _ in self._witnesses:
            try:
                yield self._inbox.get(timeout=max(0.0, self._until - time.monotonic()))
            except Empty:
                return

    def door(self, name: str) -> Nat | None:
        """The door to the witness of that name, if there is one."""
        return next((nat for witness, nat in self._doors.items() if witness.name == name), None)

    def _silence(self, witness: Witness) -> Answer:
        name = str(self._doors.get(witness, witness.name))
        error = GatewayTimeout(f"{name} did not answer within {self._patience:g} s")
        return Answer(witness.name, name, error=error, chosen=witness.chosen, placed=witness.placed)

    def _run(self, witness: Witness) -> None:
        try:
            nat = witness.load()
            answer = self._ask(witness, nat) if nat else None
        except (PluginError, SpecError) as error:
            answer = Answer(witness.name, witness.name, error=PluginError(str(error)))
        if answer:
            answer = replace(answer, chosen=witness.chosen, placed=witness.placed)
        self._inbox.put((witness, answer))

    def _ask(self, witness: Witness, nat: Nat) -> Answer:
        self._doors[witness] = nat
        began = time.monotonic()
        try:
            address = nat.external_ip(timeout=self._left())
        except (NATError, PluginError) as error:
            return Answer(witness.name, str(nat), _ms(began), error=error, evidence=nat.evidence())
        answer = Answer(witness.name, str(nat), _ms(began), address, evidence=nat.evidence())
        return replace(answer, us=_towards(answer.host), table=self._table(nat))

    def _table(self, nat: Nat) -> tuple[Listed, ...] | None:
        """The gateway's table, if it can be had in time."""
        try:
            return nat.list_mappings(timeout=self._left())
        except PortmapError as error:
            _log.info("%s does not show its table: %s", nat, error)
            return None

    def _left(self) -> float:
        return max(0.0, self._until - time.monotonic() - 0.1)


def _towards(host: str) -> IPv4Address | None:
    """Our own address on the way there; none where the gateway's name does not tell where that is."""
    try:
        return local_address_towards(IPv4Address(host))
    except (AddressValueError, NoGateway):
        return None


def _ms(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
