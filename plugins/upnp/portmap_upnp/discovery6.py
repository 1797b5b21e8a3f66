"""From an IPv6 search, or from one known URL, to the firewall of a gateway.

Law: the first good answer wins, and nobody can stand in its way: each device that answers is looked at on a thread of
its own. No failure is remembered; the error says who answered and why it would not do.
"""

import time
from ipaddress import IPv6Address
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeAlias

from portmap.errors import Garbled, NATError, NoGateway
from portmap_upnp.control.firewall_control import find_control
from portmap_upnp.discovery.discover import DESCRIPTION_LIMIT, DESCRIPTION_PATIENCE
from portmap_upnp.http import Request, exchange
from portmap_upnp.location6 import Location6
from portmap_upnp.search6 import Search6

_Outcome: TypeAlias = Location6 | NATError
_Inbox: TypeAlias = SimpleQueue[_Outcome]


def find(search: Search6, us: IPv6Address, deadline: float) -> Location6:
    """Search by `deadline`, and look at whoever answers; where the first firewall is controlled. Raises NoGateway."""
    inbox: _Inbox = SimpleQueue()
    waiting = 0
    reasons: list[str] = []
    for location in search.sightings(us):
        if location is not None:
            waiting += 1
            Thread(target=_look, args=(location, us, deadline, inbox), name="upnp pinholes", daemon=True).start()
        if time.monotonic() >= deadline:
            break
        while waiting and (outcome := _next(inbox, 0)) is not None:
            if isinstance(outcome, Location6):
                return outcome
            waiting -= 1
            reasons.append(str(outcome))
    while waiting and (outcome := _next(inbox, deadline - time.monotonic())) is not None:
        if isinstance(outcome, Location6):
            return outcome
        waiting -= 1
        reasons.append(str(outcome))
    raise NoGateway(_nobody(search, reasons))


def describe(location: Location6, us: IPv6Address, deadline: float) -> Location6:
    """Fetch one device's description; where its firewall is controlled.

    Raises NoGateway, GatewayTimeout or Garbled.
    """
    patience = min(DESCRIPTION_PATIENCE, max(0.0, deadline - time.monotonic()))
    reply = exchange(location, Request(), limit=DESCRIPTION_LIMIT, patience=patience, source=us)
    if reply.status != 200:
        raise Garbled(f"{location} answers with HTTP status {reply.status} instead of a description")
    return find_control(reply.body, location)


def _look(location: Location6, us: IPv6Address, deadline: float, inbox: _Inbox) -> None:
    try:
        inbox.put(describe(location, us, deadline))
    except NATError as error:
        inbox.put(error)


def _next(inbox: _Inbox, timeout: float) -> _Outcome | None:
    try:
        return inbox.get(timeout=timeout) if timeout > 0 else inbox.get_nowait()
    except Empty:
        return None


def _nobody(search: Search6, reasons: list[str]) -> str:
    if reasons:
        return f"no gateway that opens IPv6 pinholes by UPnP: {'; '.join(reasons[:3])}"
    return f"no gateway that opens IPv6 pinholes by UPnP answered within {search.patience:.3g} s; many have none"
