"""From a search, or from one known URL, to a gateway that maps ports.

Law: the first good answer wins, and nobody can stand in its way: each device that answers is looked at on a thread of
its own. A good answer from somebody who is not where the routes lead waits a moment for one that is. No failure is
remembered; the error says who answered and why it would not do.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from ipaddress import IPv4Address
from math import inf
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeAlias

from portmap.errors import Garbled, NATError, NoGateway
from portmap.wire.waiter import Waiter
from portmap_upnp.discovery.description import GatewayDevice, parse_description
from portmap_upnp.discovery.search import DeviceSeen, Search
from portmap_upnp.http import Request, exchange
from portmap_upnp.location import Location

DESCRIPTION_LIMIT = 64 * 1024  # bytes; real ones have 2 to 20 KiB
DESCRIPTION_PATIENCE = 3.0  # seconds; small routers take their time over it
HEAD_START = 0.02  # seconds that a hint has before everybody is asked; a gateway that is there needs 5
GRACE = 0.3  # seconds that a stranger's good answer waits for the default gateway's

_Found: TypeAlias = "DeviceSeen | GatewayDevice | NATError | None"
"""An answer to the search, what became of one, or None: the search is over."""


def fetch_device(
    location: Location, patience: float = DESCRIPTION_PATIENCE, line: Waiter | None = None
) -> GatewayDevice:
    """Fetch and vet one device's description, within `patience` seconds.

    Raises NoGateway, GatewayTimeout or Garbled, and HungUp as `exchange` does.
    """
    reply = exchange(location, Request(), limit=DESCRIPTION_LIMIT, patience=patience, line=line)
    if reply.status != 200:
        raise Garbled(f"{location} answers with HTTP status {reply.status} instead of a description")
    return parse_description(reply.body, location)


def discover(
    search: Search, deadline: float = inf, rather_not: Location | None = None, hinted: Location | None = None
) -> GatewayDevice:
    """Search, look at whoever answers, and return the first gateway, by `deadline`. Raises NoGateway.

    The gateway described at `rather_not` is taken only if there is no other. `hinted` is looked at a moment before
    everybody is asked, and has no other privilege.
    """
    stop = Event()
    until = min(deadline, time.monotonic() + search.patience + DESCRIPTION_PATIENCE)
    hunt = _Discovery(frozenset(search.gateways()), until, rather_not=rather_not)
    failed = Event()
    if hinted:
        hunt.look_at(DeviceSeen(hinted), failed)
        _start(_report, partial(_soon, failed, search, stop), hunt.inbox)
    else:
        sightings = search.devices(stop)
        _start(_report, lambda: sightings, hunt.inbox)
    try:
        import_module("http.client")  # needed as soon as somebody answers: 20 ms that pass meanwhile
        gateway = hunt.first_good()
    finally:
        stop.set()
        failed.set()
    if gateway is None:
        raise NoGateway(_nobody(search, hunt.reasons))
    return gateway


@dataclass(slots=True)
class _Discovery:
    """What is known so far. `open`: how many threads have yet to report, the search being the first of them."""

    likely: frozenset[IPv4Address]
    until: float
    open: int = 1
    rather_not: Location | None = None
    inbox: SimpleQueue[_Found] = field(default_factory=SimpleQueue)
    reasons: list[str] = field(default_factory=list)
    _second_best: GatewayDevice | None = None

    def first_good(self) -> GatewayDevice | None:
        """The first gateway where the routes lead; the first other one, if there is none within a moment."""
        for found in self._reports():
            match found:
                case DeviceSeen():
                    self.look_at(found)
                case GatewayDevice() if self._is_likely(found):
                    return found
                case GatewayDevice() if self._second_best is None:
                    self._second_best = found
                    self.until = min(self.until, time.monotonic() + GRACE)
                case NATError():
                    self.reasons.append(str(found))
        return self._second_best

    def look_at(self, sighting: DeviceSeen, failed: Event | None = None) -> None:
        """Whether that is a gateway will be in the inbox; `failed` is set if it is none."""
        self.open += 1
        _start(_look, sighting, self.inbox, failed or Event())

    def _is_likely(self, gateway: GatewayDevice) -> bool:
        return gateway.location != self.rather_not and (gateway.host in self.likely or not self.likely)

    def _reports(self) -> Iterator[_Found]:
        """Reports as they come, until all are in or the time is over."""
        while self.open:
            try:
                found = self.inbox.get(timeout=max(0.0, self.until - time.monotonic()))
            except Empty:
                return
            self.open -= not isinstance(found, DeviceSeen)
            yield found


def _nobody(search: Search, reasons: list[str]) -> str:
    if reasons:
        return f"no UPnP gateway among those that answered: {'; '.join(reasons[:3])}"
    return f"no UPnP gateway answered within {search.patience:.3g} s; is UPnP switched on in the router?"


def _report(search: Callable[[], Iterator[DeviceSeen]], inbox: SimpleQueue[_Found]) -> None:
    try:
        for sighting in search():
            inbox.put(sighting)
        inbox.put(None)
    except NATError as error:
        inbox.put(error)


def _soon(failed: Event, search: Search, stop: Event) -> Iterator[DeviceSeen]:
    """The search, if it is still needed when the hint has failed, or has had its head start.

    The gateway answers a search with the same one thread with which it answers us.
    """
    failed.wait(HEAD_START)
    return iter(()) if stop.is_set() else search.devices(stop)


def _look(sighting: DeviceSeen, inbox: SimpleQueue[_Found], failed: Event) -> None:
    try:
        inbox.put(replace(fetch_device(sighting.location), boot=sighting.boot))
    except NATError as error:
        inbox.put(error)
        failed.set()


def _start(work: Callable[..., None], *arguments: object) -> None:
    Thread(target=work, args=arguments, name="upnp discovery", daemon=True).start()
