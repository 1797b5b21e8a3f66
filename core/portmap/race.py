"""A race between backends: all are asked for the external address at once, the first true answer wins.

Law: the race knows no backend by name; it is given doors (`Nat`). It remembers who answered, never who failed.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future  # annotations here are read at run time
from functools import partial
from queue import Empty, SimpleQueue

from portmap.errors import NATError, NoGateway, PluginError, SpecError
from portmap.model import Address, Kind
from portmap.nat import Nat, make
from portmap.plugins import Catalogue
from portmap.spec import Spec

PATIENCE = 3.0  # seconds until "no gateway": UPnP devices answer within MX 1 s, NAT-PMP within 3 tries

_log = logging.getLogger("portmap.race")


class Race:
    """One heat after another. `field` makes the doors, at the first heat."""

    def __init__(self, field: Callable[[], Sequence[Nat]], patience: float = PATIENCE) -> None:
        self._make_field = field
        self._patience = patience
        self._field: Sequence[Nat] | None = None
        self._heat: dict[Nat, Future[Address]] = {}
        self._deadline = 0.0

    @property
    def field(self) -> Sequence[Nat]:
        """Everybody who takes part."""
        if self._field is None:
            self._field = tuple(self._make_field())
        return self._field

    def run(self) -> tuple[Nat, Address]:
        """The first to answer, and the answer. Raises NoGateway, with everybody's reason, when time is up."""
        finished: SimpleQueue[tuple[Nat, Future[Address]]] = SimpleQueue()
        self._deadline = time.monotonic() + self._patience
        self._heat = {nat: answer for nat in self.field if (answer := self._asked(nat))}
        for nat, answer in self._heat.items():
            answer.add_done_callback(partial(_finish, finished, nat))
        reasons = dict.fromkeys(self.field, "has not come back from an earlier call")
        reasons |= dict.fromkeys(self._heat, f"did not answer within {self._patience:g} s")
        for _ in self._heat:
            try:
                nat, answer = finished.get(timeout=max(0.0, self._deadline - time.monotonic()))
                return nat, answer.result()
            except Empty:
                break
            except (NATError, PluginError) as error:
                reasons[nat] = str(error)
                _log.debug("%s is out: %s", nat.name, error)
        told = "; ".join(f"{nat}: {reason}" for nat, reason in reasons.items())
        raise NoGateway(f"no gateway answered ({told or 'no backend is installed'})")

    def _asked(self, nat: Nat) -> "Future[Address] | None":
        """The answer to come; that of the last heat if it is still under way. None while the door is busy otherwise."""
        under_way = self._heat.get(nat)
        if under_way is not None and not under_way.done():
            return under_way
        return None if nat.busy else nat.ask_external_ip()

    def runners_up(self, winner: Nat) -> "list[Nat]":
        """The others who answered in the last heat; those still under way get the rest of its time."""
        return [nat for nat, answer in self._heat.items() if nat is not winner and self._came_in(answer)]

    def _came_in(self, answer: "Future[Address]") -> bool:
        try:
            answer.result(max(0.0, self._deadline - time.monotonic()))
        except (TimeoutError, NATError, PluginError):
            return False
        return True


def _finish(finished: "SimpleQueue[tuple[Nat, Future[Address]]]", nat: Nat, answer: "Future[Address]") -> None:
    finished.put((nat, answer))


def installed_runners(catalogue: Catalogue, without: type) -> list[Nat]:
    """A door to every installed LOOP backend that needs no argument; the broken ones are passed over."""
    doors = []
    for plugin in catalogue.plugins:
        try:
            backend_class = plugin.load()
            if backend_class.kind is not Kind.LOOP or backend_class is without:
                continue
            doors.append(Nat(make(backend_class, Spec(plugin.names[0]), str(plugin)), str(plugin)))
        except (PluginError, SpecError) as error:
            _log.debug("%s takes no part: %s", plugin, error)
    return doors
