"""StunResponder: proves UDP with a STUN server of RFC 5780 (`--via stun:HOST[:PORT]`). Raises portmap errors only.

The server is asked to answer to the external port (RESPONSE-PORT, §7.5) from its other address (CHANGE-REQUEST, §7.2),
so its answer is a packet from a host that was never contacted. A socket of ours at the port hears it.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Self

from portmap.errors import NoGateway, Refused, SpecError
from portmap.model import Protocol
from portmap.network.routes import local_address_to
from portmap.reachability.echo import EchoAnswer
from portmap.reachability.nat_probe import ProbeSocket
from portmap.wire.exchange import Peer
from portmap.wire.stun.message import BindingRequest
from portmap.wire.stun.servers import Server, look_up, parse_servers

PREFIX = "stun:"
HERE = 0.5  # seconds that an answer may take that comes back to where the question came from, as it must not
_TRANSACTION = 12  # bytes: RFC 8489 §5


@dataclass(frozen=True, slots=True)
class StunResponder:
    """One server, by its name. `interface`: the one of this host to ask it by; None: the routing table decides."""

    server: Server
    interface: str | None = None

    @classmethod
    def parse(cls, text: str, interface: str | None = None) -> Self:
        """Take `stun:HOST[:PORT]`. Raises SpecError."""
        server, *more = parse_servers(text.removeprefix(PREFIX))
        if more:
            raise SpecError("one STUN server proves a port, by its two addresses: name one, as in --via stun:HOST")
        return cls(server, interface)

    def __str__(self) -> str:
        return f"STUN {self.server}"

    def check(self, port: int, protocol: Protocol, token: str = "", version: int | None = None) -> EchoAnswer:
        """Have a datagram with the token's first 12 letters sent to the port. Raises PortmapError.

        `version`: of IP; the server is asked over IPv4.
        """
        if protocol is not Protocol.UDP:
            raise Refused("a STUN server proves UDP only: name a responder for TCP, as in --via https://HOST")
        if version == 6:
            raise Refused("a STUN server is asked over IPv4 only: name a responder for IPv6, as in --via https://HOST")
        peer = self._peer()
        ours = local_address_to(IPv4Address(peer[0]), self.interface)
        with ProbeSocket(ours, self.interface) as sock:
            seen = sock.ask(peer, BindingRequest())
            if seen is None:
                raise NoGateway(f"{self} does not answer: is it a STUN server?")
            if seen.second_of(peer[0]) is None:
                raise Refused(f"{self} has one address only, so it cannot prove anything (RFC 5780): name another")
            request = BindingRequest(
                token.encode()[:_TRANSACTION], change_ip=True, change_port=True, response_port=port
            )
            sock.send(peer, request)
            if sock.is_answered(request, HERE):
                raise Refused(f"{self} answers to no other port (RESPONSE-PORT of RFC 5780), so it proves nothing")
        return EchoAnswer(seen.address, port, None)

    def _peer(self) -> Peer:
        found = next((peer for peer in look_up(self.server) if ":" not in peer[0]), None)
        if found is None:
            raise NoGateway(f"{self} has no IPv4 address: name another")
        return found
