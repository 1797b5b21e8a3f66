"""RequestHandlers: what arrives at the simulated router's ports, in; the answers, out; all of it counted.

No socket and no thread; called from one thread only. Which quirk shows where is decided here; how it shows, in the
protocols and in `upnp/page_quirks`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import TypeAlias

from portmap.simulator import natpmp
from portmap.simulator.net import http
from portmap.simulator.net.udp_port import Peer
from portmap.simulator.pcp import packets, server
from portmap.simulator.received import Heard
from portmap.simulator.state import RouterState
from portmap.simulator.upnp import page_quirks, site, ssdp
from portmap.simulator.upnp.description import Device
from portmap.simulator.upnp.gena import EventMessage, Subscriptions, state_of

Answers: TypeAlias = tuple[bytes, ...]
PCP6 = {"pcp_map": "pcp6_map", "pcp_unmap": "pcp6_unmap", "announce": "pcp6_announce"}


@dataclass(frozen=True, slots=True)
class Hearing:
    """One request as it arrived: which counter of `Heard` it moved, who asked, and what for."""

    name: str
    client: str
    details: Mapping[str, object] = field(default_factory=dict)


Listener: TypeAlias = Callable[[Hearing], None]


def _by_ipv6(address: str) -> bool:
    return ":" in address


def _no_listener(_hearing: Hearing) -> None:
    """The listener where there is none."""


class RequestHandlers:
    """All ports of one router. `device` tells where it is now, as an asker with this address sees it; `trap` where the
    trap is; `listener` hears each request.

    Set `listener` and `trap` before anything arrives.
    """

    def __init__(
        self, state: RouterState, device: Callable[[str], Device], clock: Callable[[], float], *, pmp: bool, pcp: bool
    ) -> None:
        self.heard = Heard()
        self.listener: Listener = _no_listener
        self.trap = ""
        self._state, self._device, self._clock = state, device, clock
        self._pmp, self.speaks_pcp = pmp, pcp
        self._site = site.RouterSite(state)
        self._subscriptions = Subscriptions()

    # What arrives.

    def handle_mapping(self, data: bytes, peer: Peer) -> Answers:
        """NAT-PMP and PCP, which share a port: the version tells them apart (RFC 6887 §9 and appendix A)."""
        is_pcp = self.speaks_pcp and (not self._pmp or data[:1] != b"\0" or _by_ipv6(peer[0]))
        return self._handle_pcp(data, peer) if is_pcp else self._handle_pmp(data, peer)

    def _handle_pmp(self, data: bytes, peer: Peer) -> Answers:
        request = natpmp.read(data)
        if request is None:
            return self._not_understood(data, peer)
        self._count(request.heard, peer[0], asdict(request))
        return (natpmp.answer(request, peer[0], self._state, self._clock()),)

    def _handle_pcp(self, data: bytes, peer: Peer) -> Answers:
        request = packets.read(data)
        if request is None:
            return self._not_understood(data, peer)
        name = request.heard
        self._count(PCP6.get(name, name) if _by_ipv6(peer[0]) else name, peer[0], asdict(request))
        return (server.answer(request, peer[0], self._state, self._clock()),)

    def _not_understood(self, data: bytes, peer: Peer) -> Answers:
        self._count("unknown", peer[0], {"data": data})
        return ()

    def handle_search(self, data: bytes, peer: Peer) -> Answers:
        """SSDP by unicast."""
        answers = self.handle_multicast_search(data, peer)
        return () if self._state.quirks.multicast_only else answers

    def handle_multicast_search(self, data: bytes, peer: Peer) -> Answers:
        """SSDP by multicast; what is no search is another device's announcement."""
        search = ssdp.read(data)
        if search is None:
            return self._not_understood(data, peer)
        self._count(search.heard, peer[0], asdict(search))
        return page_quirks.search_answers(search, self._device(peer[0]), self._state.quirks, self.trap)

    def handle_http(self, request: http.WebRequest, client: str) -> http.WebResponse:
        """A description, a SOAP call, or a subscription."""
        if request.method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            heard, response = self._subscriptions.respond(request, client, self._clock())
            self._count(heard, client, {"path": request.path})
            return response
        device, quirks = self._device(client), self._state.quirks
        done = self._site.respond(request, client, device, self.trap, self._clock())
        details = {"action": done.call.action} | done.call.arguments if done.call else {"path": request.path}
        self._count(done.heard, client, details)
        response = page_quirks.apply_to_call(done.response, done.call, quirks)
        return page_quirks.redirect(quirks, self.trap) or page_quirks.apply_to_page(response, device, quirks, self.trap)

    def handle_trap(self, request: http.WebRequest, client: str) -> http.WebResponse:
        """A client has followed a URL that it should not have followed."""
        self._count("trap", client, {"path": request.path})
        return http.WebResponse(HTTPStatus.NOT_FOUND)

    def _count(self, name: str, client: str, details: Mapping[str, object]) -> None:
        self.heard = self.heard.incremented(name)
        self.listener(Hearing(name, client, details))

    # What is said unasked.

    def announcements(self, where: str) -> Answers:
        """What is sent to the port for announcements, at this address."""
        now = self._clock()
        pmp = (natpmp.announcement(self._state, now),) if self._pmp and not _by_ipv6(where) else ()
        by_pcp = self.speaks_pcp and not self._state.quirks.announces_by_pmp
        return pmp + ((server.announcement(self._state, now),) if by_pcp else ())

    def alive(self) -> Answers:
        """SSDP: the router is there, and where."""
        device = page_quirks.apply_to_location(self._device(""), self._state.quirks, self.trap)
        return page_quirks.apply_to_messages(ssdp.alive(device), self._state.quirks)

    def byebye(self) -> Answers:
        """SSDP: the router is going."""
        return page_quirks.apply_to_messages(ssdp.byebye(self._device("")), self._state.quirks)

    def events(self) -> tuple[EventMessage, ...]:
        """GENA: what is due to be sent to subscribers."""
        if not len(self._subscriptions):
            return ()
        now = self._clock()
        return tuple(self._subscriptions.due(state_of(self._state, now), now))

    def forget_subscribers(self) -> None:
        """A reboot does that."""
        self._subscriptions.forget()
