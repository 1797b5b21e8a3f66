"""What the simulated router does with what arrives at its ports: bytes or a request in, answers out, all of it counted.

Law: no socket, no thread of its own; whoever calls it does so from one thread. Which quirk shows where is decided
here; how it shows is `masks`' and the protocols' own affair.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import TypeAlias

from portmap.simulator import natpmp
from portmap.simulator.net import http
from portmap.simulator.net.udp_port import Peer
from portmap.simulator.pcp import packets, server
from portmap.simulator.quirks import Quirks
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


def _nobody(_hearing: Hearing) -> None:
    """The listener where nobody listens."""


class RequestHandlers:
    """All ports of one router. `device` tells where it is now, as an asker with this address sees it; `trap` where the
    trap is; `listener` hears each request.

    Set `listener` and `trap` before anything arrives.
    """

    def __init__(
        self, state: RouterState, device: Callable[[str], Device], clock: Callable[[], float], *, pmp: bool, pcp: bool
    ) -> None:
        self.heard = Heard()
        self.listener: Listener = _nobody
        self.trap = ""
        self._state, self._device, self._clock = state, device, clock
        self._pmp, self.speaks_pcp = pmp, pcp
        self._second = RouterState("", Quirks(no_wan=True))  # behind the second gateway, or the dead line
        self._subscriptions = Subscriptions()

    # What arrives.

    def handle_mapping(self, data: bytes, peer: Peer) -> Answers:
        """NAT-PMP and PCP, which share a port: the version tells them apart (RFC 6887 §9 and appendix A)."""
        is_pcp = self.speaks_pcp and (not self._pmp or data[:1] != b"\0" or _by_ipv6(peer[0]))
        return self._hear_pcp(data, peer) if is_pcp else self._hear_pmp(data, peer)

    def _hear_pmp(self, data: bytes, peer: Peer) -> Answers:
        request = natpmp.read(data)
        if request is None:
            return self._not_understood(data, peer)
        self._note(request.heard, peer[0], asdict(request))
        return (natpmp.answer(request, peer[0], self._state, self._clock()),)

    def _hear_pcp(self, data: bytes, peer: Peer) -> Answers:
        request = packets.read(data)
        if request is None:
            return self._not_understood(data, peer)
        name = request.heard
        self._note(PCP6.get(name, name) if _by_ipv6(peer[0]) else name, peer[0], asdict(request))
        return (server.answer(request, peer[0], self._state, self._clock()),)

    def _not_understood(self, data: bytes, peer: Peer) -> Answers:
        self._note("unknown", peer[0], {"data": data})
        return ()

    def handle_search(self, data: bytes, peer: Peer) -> Answers:
        """SSDP by unicast."""
        answers = self.hear_multicast_search(data, peer)
        return () if self._state.quirks.multicast_only else answers

    def hear_multicast_search(self, data: bytes, peer: Peer) -> Answers:
        """SSDP by multicast; what is no search is somebody else's announcement."""
        search = ssdp.read(data)
        if search is None:
            return self._not_understood(data, peer)
        self._note(search.heard, peer[0], asdict(search))
        return page_quirks.search_answers(search, self._device(peer[0]), self._state.quirks, self.trap)

    def handle_http(self, request: http.Request, client: str) -> http.Response:
        """A description, a SOAP call, or a subscription."""
        if request.method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            heard, response = self._subscriptions.respond(request, client, self._clock())
            self._note(heard, client, {"path": request.path})
            return response
        device, quirks = self._device(client), self._state.quirks
        told = site.respond(request, client, device, (self._state, self._second), self._clock())
        details = {"action": told.call.action} | told.call.arguments if told.call else {"path": request.path}
        self._note(told.heard, client, details)
        return page_quirks.redirect(quirks, self.trap) or page_quirks.apply_to_page(
            told.response, device, quirks, self.trap
        )

    def handle_trap(self, request: http.Request, client: str) -> http.Response:
        """Somebody has followed what nobody should."""
        self._note("trap", client, {"path": request.path})
        return http.Response(HTTPStatus.NOT_FOUND)

    def _note(self, name: str, client: str, details: Mapping[str, object]) -> None:
        self.heard = self.heard.incremented(name)
        self.listener(Hearing(name, client, details))

    # What is said unasked.

    def announcements(self, where: str) -> Answers:
        """For whoever listens on the port for announcements, at this address."""
        now = self._clock()
        pmp = (natpmp.announcement(self._state, now),) if self._pmp and not _by_ipv6(where) else ()
        return pmp + ((server.announcement(self._state, now),) if self.speaks_pcp else ())

    def alive(self) -> Answers:
        """SSDP: here we are, and where."""
        device = page_quirks.apply_to_location(self._device(""), self._state.quirks, self.trap)
        return page_quirks.apply_to_messages(ssdp.alive(device), self._state.quirks)

    def byebye(self) -> Answers:
        """SSDP: we are gone."""
        return page_quirks.apply_to_messages(ssdp.byebye(self._device("")), self._state.quirks)

    def events(self) -> tuple[EventMessage, ...]:
        """GENA: what subscribers have yet to be told."""
        if not len(self._subscriptions):
            return ()
        now = self._clock()
        return tuple(self._subscriptions.due(state_of(self._state, now), now))

    def forget_subscribers(self) -> None:
        """A reboot does that."""
        self._subscriptions.forget()
