"""GENA, the events of UPnP: SUBSCRIBE and UNSUBSCRIBE -> response, a change of state -> messages (UDA 1.1 §4).

Pure but for its list of subscribers; time is an argument, the caller sends the messages. A callback may only lead to
loopback or to the very host that subscribes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import AddressValueError, IPv4Address
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

from portmap.model import MAX_PORT
from portmap.simulator.net.http import WebRequest, WebResponse
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.description import EVENTS_COMMON, EVENTS_IP
from portmap.simulator.upnp.igd import link_of, status_of

SHORTEST, LONGEST = 60, 1800  # seconds that a subscription may last; UDA 1.1 §4.1.2 wants at least 1800 offered
MOST = 32  # subscribers
WRAP = 0xFFFFFFFF  # after which SEQ goes on with 1: UDA 1.1 §4.3.2
State: TypeAlias = Mapping[str, str]
NewName: TypeAlias = Callable[[], str]


def state_of(state: RouterState, now: float) -> dict[str, State]:
    """The evented variables of each service, by its event path (WANIPConnection:1 §2.3, WANCommonInterfaceConfig:1)."""
    connection = {
        "PossibleConnectionTypes": "IP_Routed",
        "ConnectionStatus": status_of(state, now),
        "ExternalIPAddress": state.stated_address(now),
        "PortMappingNumberOfEntries": str(len(state.table.alive(now))),
    }
    return {EVENTS_IP: connection, EVENTS_COMMON: {"PhysicalLinkStatus": link_of(state, now)}}


@dataclass(frozen=True, slots=True)
class Callback:
    """The URL to which a subscriber wants its events."""

    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class EventMessage:
    """One event on its way: the bytes of a NOTIFY request, and where they go."""

    callback: Callback
    data: bytes


@dataclass(slots=True)
class Subscription:
    """One subscriber. `known` is the state that it was last sent."""

    sid: str
    path: str
    callback: Callback
    expires: float
    seq: int = 0
    known: State = field(default_factory=dict)

    def changes(self, state: State) -> State:
        """What has changed; at first, everything."""
        return {name: value for name, value in state.items() if self.known.get(name) != value}

    def message(self, changes: State, state: State) -> EventMessage:
        """The message with these changes; the subscriber knows the state then."""
        seq, self.known = self.seq, state
        self.seq = 1 if seq == WRAP else seq + 1
        return EventMessage(self.callback, _notify(self, seq, changes))


class SubscriptionRefused(Exception):
    """A subscription that cannot be had, with its HTTP status (UDA 1.1 §4.1.1)."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Subscriptions:
    """All subscribers of one router."""

    def __init__(self, name: NewName = lambda: f"uuid:{uuid4()}") -> None:
        self._name = name
        self._all: dict[str, Subscription] = {}

    def __len__(self) -> int:
        return len(self._all)

    def forget(self) -> None:
        """Drop all subscribers without a message, as a reboot does."""
        self._all.clear()

    def respond(self, request: WebRequest, client: str, now: float) -> tuple[str, WebResponse]:
        """The name of the counter in `Heard`, and the response."""
        self._expire(now)
        heard = request.method.lower()
        try:
            if request.path not in (EVENTS_IP, EVENTS_COMMON):
                raise SubscriptionRefused(HTTPStatus.NOT_FOUND)  # noqa: TRY301  # one way out for every refusal
            return heard, self._do(request, client, now)
        except SubscriptionRefused as refusal:
            return heard, WebResponse(refusal.status)

    def _do(self, request: WebRequest, client: str, now: float) -> WebResponse:
        if request.method == "UNSUBSCRIBE":
            self._all.pop(self._named(request).sid)
            return WebResponse()
        lifetime = _lifetime(request.headers.get("timeout", ""))
        subscription = self._named(request) if "sid" in request.headers else self._new(request, client)
        subscription.expires = now + lifetime
        return WebResponse(headers=(("SID", subscription.sid), ("TIMEOUT", f"Second-{lifetime}")))

    def _named(self, request: WebRequest) -> Subscription:
        if "nt" in request.headers or "callback" in request.headers:
            raise SubscriptionRefused(HTTPStatus.BAD_REQUEST)  # UDA 1.1 §4.1.1: incompatible header fields
        known = self._all.get(request.headers.get("sid", ""))
        if known is None or known.path != request.path:
            raise SubscriptionRefused(HTTPStatus.PRECONDITION_FAILED)
        return known

    def _new(self, request: WebRequest, client: str) -> Subscription:
        if request.headers.get("nt") != "upnp:event":
            raise SubscriptionRefused(HTTPStatus.PRECONDITION_FAILED)
        callback = read_callback(request.headers.get("callback", ""), client)
        if len(self._all) >= MOST:
            raise SubscriptionRefused(HTTPStatus.SERVICE_UNAVAILABLE)
        subscription = Subscription(self._name(), request.path, callback, 0.0)
        self._all[subscription.sid] = subscription
        return subscription

    def _expire(self, now: float) -> None:
        self._all = {sid: it for sid, it in self._all.items() if it.expires > now}

    def due(self, state: Mapping[str, State], now: float) -> Iterator[EventMessage]:
        """What has to be sent now, given the state of each service."""
        if self._all:
            self._expire(now)
        for subscription in self._all.values():
            known = state[subscription.path]
            changes = subscription.changes(known)
            if changes:
                yield subscription.message(changes, known)


def read_callback(text: str, client: str) -> Callback:
    """The first URL of a CALLBACK header. Raises SubscriptionRefused."""
    url = text[1:].partition(">")[0] if text.startswith("<") else ""
    try:
        parts = urlsplit(url)
        host, port = IPv4Address(parts.hostname or ""), 80 if parts.port is None else parts.port
    except (AddressValueError, ValueError) as error:
        raise SubscriptionRefused(HTTPStatus.PRECONDITION_FAILED) from error
    good = parts.scheme == "http" and 0 < port <= MAX_PORT and url.isascii() and url.isprintable() and " " not in url
    if not (good and (host.is_loopback or str(host) == client)):
        raise SubscriptionRefused(HTTPStatus.PRECONDITION_FAILED)
    return Callback(str(host), port, _path(parts))


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _lifetime(text: str) -> int:
    digits = text.lower().removeprefix("second-")
    asked = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else LONGEST
    return max(SHORTEST, min(asked, LONGEST))


def _notify(subscription: Subscription, seq: int, changes: State) -> bytes:
    """A NOTIFY request (UDA 1.1 §4.3.2)."""
    leaves = "".join(f"<e:property><{name}>{escape(value)}</{name}></e:property>" for name, value in changes.items())
    body = (
        '<?xml version="1.0"?>\n<e:propertyset xmlns:e="urn:schemas-upnp-org:event-1-0">'
        + leaves
        + "</e:propertyset>\n"
    ).encode()
    head = (
        f"NOTIFY {subscription.callback.path} HTTP/1.1\r\n"
        f"HOST: {subscription.callback.host}:{subscription.callback.port}\r\n"
        'CONTENT-TYPE: text/xml; charset="utf-8"\r\n'
        f"CONTENT-LENGTH: {len(body)}\r\n"
        "NT: upnp:event\r\nNTS: upnp:propchange\r\n"
        f"SID: {subscription.sid}\r\nSEQ: {seq}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
