"""Discovery: from a search, or from one known URL, to a device that maps ports or opens pinholes.

The first good answer of a default gateway wins; a good answer of another device waits a moment for it, and for the
description of a default gateway that has answered. Each device that answers is described on a thread of its own, so a
slow one delays no other. No failure is remembered; the error says which devices answered and why they would not do.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from ipaddress import IPv6Address
from math import inf
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, NamedTuple, TypeVar

from portmap.errors import Garbled, NATError, NoGateway
from portmap.model import Address
from portmap.wire.waiter import Waiter
from portmap_upnp.discovery.description import (
    FirewallDevice,
    GatewayDevice,
    parse_description,
    parse_firewall_description,
)
from portmap_upnp.discovery.search import DeviceSeen, Search
from portmap_upnp.http import Request, exchange
from portmap_upnp.location import Location

D = TypeVar("D", GatewayDevice, FirewallDevice)

DESCRIPTION_LIMIT = 64 * 1024  # bytes; real ones have 2 to 20 KiB
DESCRIPTION_TIMEOUT = 3.0  # seconds; small routers take their time over it
HEAD_START = 0.02  # seconds that a hint has before the search begins; a gateway that is there needs 5
GRACE = 0.3  # seconds that another device's good answer waits for the default gateway's


def fetch_device(
    location: Location, timeout: float = DESCRIPTION_TIMEOUT, waiter: Waiter | None = None
) -> GatewayDevice:
    """Fetch and vet the description of a device that maps ports, within `timeout` seconds.

    Raises NoGateway, GatewayTimeout or Garbled, and WaiterClosed as `exchange` does.
    """
    return parse_description(_fetch(location, timeout, waiter), location)


def fetch_firewall(
    location: Location, us: IPv6Address, timeout: float = DESCRIPTION_TIMEOUT, waiter: Waiter | None = None
) -> FirewallDevice:
    """Fetch and vet the description of a device that opens pinholes, from our address `us`; raises the same."""
    return parse_firewall_description(_fetch(location, timeout, waiter, us), location)


def discover(
    search: Search, deadline: float = inf, rather_not: Location | None = None, hinted: Location | None = None
) -> GatewayDevice:
    """Search, and return the first gateway that maps ports, by `deadline`. Raises NoGateway.

    The gateway described at `rather_not` is taken only if there is no other. `hinted` is asked a moment before the
    search begins, and has no other privilege.
    """
    until = min(deadline, time.monotonic() + search.timeout + DESCRIPTION_TIMEOUT)
    discovery: _Discovery[GatewayDevice] = _Discovery(
        fetch_device, frozenset(search.gateways()), until, rather_not=rather_not
    )
    return _run(discovery, search, None, hinted, "no UPnP gateway")


def discover_firewall(search: Search, us: IPv6Address, deadline: float) -> FirewallDevice:
    """Search by `deadline`, and return the first device that opens pinholes to our address `us`. Raises NoGateway."""
    discovery: _Discovery[FirewallDevice] = _Discovery(
        lambda location: fetch_firewall(location, us), frozenset(search.gateways()), deadline
    )
    return _run(discovery, search, us, None, "no gateway that opens IPv6 pinholes by UPnP")


def _fetch(location: Location, timeout: float, waiter: Waiter | None = None, source: Address | None = None) -> bytes:
    reply = exchange(location, Request(), limit=DESCRIPTION_LIMIT, timeout=timeout, waiter=waiter, source=source)
    if reply.status != 200:
        raise Garbled(f"{location.origin} answers with HTTP status {reply.status} instead of a description")
    return reply.body


def _run(
    discovery: "_Discovery[D]", search: Search, ours: IPv6Address | None, hinted: Location | None, missing: str
) -> D:
    stop = Event()
    hint_failed = Event()
    if hinted:
        discovery.look_at(DeviceSeen(hinted), hint_failed)
        _start(_search_after_hint, hint_failed, search, stop, ours, discovery)
    else:
        _start(_report, search.devices(stop, ours, discovery.refuse), discovery)
    try:
        import_module("http.client")  # needed as soon as a device answers: 20 ms that pass meanwhile
        device = discovery.first_good()
    finally:
        stop.set()
        hint_failed.set()
    if device is None:
        raise NoGateway(_explain(search, discovery.reasons, missing))
    return device


class _Refused(NamedTuple):
    """An answer that is not followed."""

    reason: str


class _Useless(NamedTuple):
    """A device that answered, and whose description will not do. `location` None: the search itself has failed."""

    error: NATError
    location: Location | None = None


@dataclass(slots=True)
class _Discovery(Generic[D]):
    """What is known so far. `open`: how many threads have yet to report, the search being the first of them.

    The inbox has answers to the search, what became of each, and None at the end of the search. `described`: default
    gateways that have answered the search and are being described.
    """

    fetch: Callable[[Location], D]
    likely: frozenset[Address]
    until: float
    open: int = 1
    rather_not: Location | None = None
    inbox: SimpleQueue[DeviceSeen | _Refused | _Useless | D | None] = field(default_factory=SimpleQueue)
    reasons: list[str] = field(default_factory=list)
    described: set[Location] = field(default_factory=set)
    _second_best: D | None = None
    _grace_ends: float = inf

    def first_good(self) -> D | None:
        """The first device that is a default gateway; the first other one, if there is none within a moment."""
        for found in self._reports():
            match found:
                case DeviceSeen():
                    self.likely |= {found.location.host} if found.is_gateway else frozenset()
                    if found.location.host in self.likely:
                        self.described.add(found.location)
                    self.look_at(found)
                case GatewayDevice() | FirewallDevice() if self._is_likely(found):
                    return found
                case GatewayDevice() | FirewallDevice():
                    self._take_as_second_best(found)
                case _Refused():
                    self.reasons.append(found.reason)
                case _Useless():
                    self.reasons.append(str(found.error))
                    self.described.discard(found.location)
        return self._second_best

    def refuse(self, reason: str) -> None:
        """Take in why an answer is not followed. Called by the thread of the search."""
        self.inbox.put(_Refused(reason))

    def look_at(self, seen: DeviceSeen, failed: Event | None = None) -> None:
        """Describe the device on a thread, which reports to the inbox; `failed` is set if it is of no use."""
        self.open += 1
        _start(_look, seen, self, failed or Event())

    def _take_as_second_best(self, device: D) -> None:
        self.described.discard(device.location)
        if self._second_best is None:
            self._second_best = device
            self._grace_ends = time.monotonic() + GRACE

    def _is_likely(self, device: D) -> bool:
        return device.location != self.rather_not and (device.host in self.likely or not self.likely)

    def _reports(self) -> Iterator[DeviceSeen | _Refused | _Useless | D | None]:
        """Reports as they come, until all are in or the time is over."""
        while self.open:
            until = self.until if self.described else min(self.until, self._grace_ends)
            try:
                found = self.inbox.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                return
            self.open -= not isinstance(found, DeviceSeen | _Refused)
            yield found


def _explain(search: Search, reasons: list[str], missing: str) -> str:
    if reasons:
        return f"{missing} among the devices that answered: {'; '.join(dict.fromkeys(reasons[:3]))}"
    return f"{missing} answered within {search.timeout:.3g} s; is UPnP switched on in the router?"


def _report(devices: Iterator[DeviceSeen], discovery: "_Discovery[D]") -> None:
    for seen in devices:
        discovery.inbox.put(seen)
    discovery.inbox.put(None)


def _search_after_hint(
    hint_failed: Event, search: Search, stop: Event, ours: IPv6Address | None, discovery: "_Discovery[D]"
) -> None:
    """The search, if it is still needed when the hint has failed, or has had its head start.

    The gateway answers a search with the same one thread with which it answers the hint's request.
    """
    hint_failed.wait(HEAD_START)
    if stop.is_set():
        return
    try:
        _report(search.devices(stop, ours, discovery.refuse), discovery)
    except NATError as error:
        discovery.inbox.put(_Useless(error))


def _look(seen: DeviceSeen, discovery: "_Discovery[D]", failed: Event) -> None:
    try:
        device = discovery.fetch(seen.location)
        discovery.inbox.put(device._replace(boot=seen.boot))
    except NATError as error:
        discovery.inbox.put(_Useless(_with_named(seen, error), seen.location))
        failed.set()


def _with_named(seen: DeviceSeen, error: NATError) -> NATError:
    """The error, with what the device gave as its LOCATION where that was not followed."""
    if not seen.named:
        return error
    reason = f"{seen.location.host} answered with LOCATION {seen.named}, another host, which is not followed; "
    return NoGateway(f"{reason}{seen.location} was asked instead: {error}")


def _start(work: Callable[..., None], *arguments: object) -> None:
    Thread(target=work, args=arguments, name="upnp discovery", daemon=True).start()
