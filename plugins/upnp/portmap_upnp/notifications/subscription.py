"""EventSubscription: our GENA subscription at one gateway: made, renewed, received and ended.

Watch thread only. Events are optional: a gateway that gives none is told once (INFO) and asked again later. Every wait
ends when the waiter is closed.
"""

import logging
import socket
import time
from collections.abc import Callable, Collection
from ipaddress import IPv4Address
from math import inf

from portmap.errors import Garbled, NATError, Refused
from portmap.wire.token_bucket import TokenBucket
from portmap.wire.waiter import Waiter
from portmap_upnp.gateway_session import ActiveGateway
from portmap_upnp.http import Reply, Request, exchange
from portmap_upnp.location import Location
from portmap_upnp.notifications import gena
from portmap_upnp.notifications.callback_server import CallbackServer
from portmap_upnp.notifications.gena import Subscription, Values

AGAIN = 300.0  # seconds until a gateway that refused is asked again
TIMEOUT = 2.0  # seconds for its answer
_PARTING = 0.5  # seconds for the unsubscribing from one that we turn away from: it may be gone
FAREWELL = 0.1  # seconds for the unsubscribing, which ends with the watch's 0.2 s or by itself
_TOGETHER = 0.05  # seconds for the events that belong together: miniupnpd says "down", then "up" with the new address
# Events that are read at once, and seconds until one more is: mappings of other hosts make events, too. None is left
# waiting without need: while a message waits for our answer, miniupnpd drops the changes that follow it.
_AT_ONCE, _EACH = 20, 0.1
EVENT_INTERVAL = 0.5  # seconds without reading after more than these
_GONE = (404, 412)  # the gateway knows nothing (any more) of our subscription: UDA 1.1 §4.1.3
_log = logging.getLogger("portmap.upnp")


class EventSubscription:
    """The events of the gateway that we are in contact with; `due` is when `renew` is to be called (time.monotonic).

    `stated`: the external address that the gateway last gave when it was asked. The first event is compared with it,
    since the address may change between that answer and the subscription.
    """

    def __init__(self, waiter: Waiter, stated: "Callable[[], IPv4Address | None]" = lambda: None) -> None:
        self._stated = stated
        self._waiter = waiter
        self._contact: ActiveGateway | None = None
        self._server: CallbackServer | None = None
        self._subscription: Subscription | None = None
        self._values: Values = {}
        self._complained = False
        self.due = inf
        self.listen_at = -inf
        """When events are received again (time.monotonic), where too many came."""
        self._rate = TokenBucket(_AT_ONCE, _EACH)

    @property
    def sockets(self) -> Collection[socket.socket]:
        """What to wait on; nothing until `listen_at`."""
        return (self._server.sock,) if self._server and time.monotonic() >= self.listen_at else ()

    def subscribe_to(self, contact: ActiveGateway) -> None:
        """From now on the events of this gateway are wanted. What it told before is still compared with."""
        before = self._contact
        self._leave(_PARTING, self._waiter)
        if before is None or before.gateway.host != contact.gateway.host:
            self._values = {}
            self._complained = False
        self._contact = contact
        self.due = time.monotonic() if contact.service.events else inf

    def renew(self) -> str:
        """When it is due: subscribe, or extend the subscription. A reason to alert, if that was forgotten."""
        try:
            return self._keep()
        except (NATError, OSError) as error:
            self._drop()
            self.due = time.monotonic() + AGAIN
            _log.log(logging.DEBUG if self._complained else logging.INFO, "no events of the gateway: %s", error)
            self._complained = True
            return ""

    def receive(self) -> str:
        """Take in the events that come. A reason to alert, if something has changed."""
        before = dict(self._values)
        self._take_in()
        before = before or self._first_values()
        while within_rate := self._rate.take(time.monotonic()):
            if self._server is None or not self._waiter.wait((self._server.sock,), _TOGETHER):
                break
            self._take_in()
        if not within_rate:
            self.listen_at = time.monotonic() + EVENT_INTERVAL
        return gena.describe_change(before, self._values)

    def _first_values(self) -> Values:
        """What the first event is compared with: itself, and the address that was stated before, if it has one."""
        values, stated = dict(self._values), self._stated()
        if stated is not None and gena.is_address(values.get(gena.ADDRESS, "")):
            values[gena.ADDRESS] = str(stated)
        return values

    def close(self) -> None:
        """Unsubscribe, if that can be done in time, and hear no more."""
        self._leave(FAREWELL, None)

    def _keep(self) -> str:
        contact, renewed = self._contact, self._subscription
        if contact is None or contact.service.events is None:
            self.due = inf
            return ""
        if renewed:
            headers = gena.renewal_headers(renewed.sid)
        else:
            interface = contact.gateway.location.interface
            self._server = self._server or CallbackServer(contact.us, contact.gateway.host, interface)
            headers = gena.subscribe_headers(self._server.url)
        reply = self._ask(contact.service.events, "SUBSCRIBE", headers, TIMEOUT, self._waiter)
        if renewed and reply.status in _GONE:
            self._subscription, self.due = None, time.monotonic()
            return "the gateway has forgotten that we want its events"
        self._granted(reply, renewed)
        return ""

    def _granted(self, reply: Reply, renewed: Subscription | None) -> None:
        if reply.status != 200:
            raise Refused(f"it answers a subscription with HTTP status {reply.status}", code=reply.status)
        sid = reply.headers.get("sid") or (renewed.sid if renewed else "")  # some do not repeat it
        self._subscription = gena.parse_subscription(sid, reply.headers.get("timeout", ""))
        self.due = time.monotonic() + self._subscription.lifetime / 2

    def _take_in(self) -> None:
        """Handle one connection to the callback server."""
        if self._server is None or not (request := self._server.receive(self._waiter)) or self._subscription is None:
            return
        try:
            values = gena.parse_event(request, self._server.path, self._subscription.sid)
        except Garbled as error:
            _log.debug("event ignored: %s", error)
            return
        _log.debug("<- event %s", values)
        self._values |= values

    def _ask(
        self, where: Location, method: str, headers: dict[str, str], timeout: float, waiter: Waiter | None
    ) -> Reply:
        _log.debug("-> %s %s %s", method, where, headers)
        return exchange(where, Request(method, headers), limit=0, timeout=timeout, waiter=waiter)

    def _leave(self, timeout: float, waiter: Waiter | None) -> None:
        if self._subscription and self._contact and self._contact.service.events:
            try:
                headers = {"SID": self._subscription.sid}
                self._ask(self._contact.service.events, "UNSUBSCRIBE", headers, timeout, waiter)
            except (NATError, OSError) as error:
                _log.debug("not unsubscribed: %s", error)
        self._drop()
        self._contact = None
        self.due = inf

    def _drop(self) -> None:
        if self._server:
            self._server.close()
        self._server = self._subscription = None
