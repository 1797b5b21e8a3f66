"""The backend `punch`: keeps a port open through NATs that cannot be asked (a provider's), by STUN (RFC 8489).

It opens a local port, learns from the STUN servers that the user named how the outermost NAT maps it, and keeps that
mapping alive. What peers send to it is handed on to the application. The external port is the NAT's choice.
No host is contacted but the named servers; they learn the address that they see.
"""

import threading
from typing import TYPE_CHECKING, ClassVar

from portmap.errors import NoGateway, Refused
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Address, Grant, Kind, Protocol, is_nominal
from portmap.wire.exchange import Peer
from portmap.wire.stun.servers import Server, look_up
from portmap_punch.argument import Argument, Forward, parse_argument
from portmap_punch.redirect import Redirect

if TYPE_CHECKING:
    from portmap_punch.engine import Engine

PROBE_PORT = 0  # the key of the opening that only learns the address
LEASE = 120  # seconds; a mapping lives by its keep-alives, and the loop asks again at half of this


class Punch:
    """Openings through a NAT that answers no questions."""

    kind: ClassVar[Kind] = Kind.LOOP
    preference: ClassVar[int | None] = None  # a third party is asked: by name only
    default_lifetime: ClassVar[int] = LEASE

    def __init__(self, argument: Argument, interface: str | None = None) -> None:
        self._argument = argument
        self.relays = argument.forward is Forward.RELAY
        self._alerts: list[Alert] = []
        self._lock = threading.Lock()
        self._found: dict[Server, list[Peer]] = {}
        self._engine = self._make_engine(interface)
        self._redirect = Redirect() if argument.forward is Forward.NFT else None

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "Punch":
        """`punch:SERVER[+SERVER][?forward=nft]`. Raises SpecError."""
        return cls(parse_argument(argument), interface)

    def __str__(self) -> str:
        return f"hole punching by {self._argument}"

    @hookimpl
    def external_ip(self) -> Address:
        """The address that the servers see. Raises NATError."""
        protocol, port = self._engine.any_opening or (Protocol.UDP, PROBE_PORT)
        try:
            endpoint, _ = self._engine.open(protocol, port)
        finally:
            self._engine.close_port(Protocol.UDP, PROBE_PORT)
        return endpoint[0]

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        """Open the port, or confirm that it is open. Raises NATError; Refused where the NAT maps by destination.

        And for an application that is to listen on the external port: what arrives is handed on to a port named before.
        """
        if is_nominal(internal_port):
            raise Refused(f"{self} hands on to a port of this host: name the one that your program listens on")
        endpoint, local_port = self._engine.open(protocol, internal_port, external_port)
        if self._redirect is not None:
            self._redirect.add(protocol, local_port, internal_port)
        return Grant(endpoint[1], min(lifetime, LEASE), endpoint[0])

    @hookimpl
    def local_port(self, protocol: Protocol, external_port: int, internal_port: int) -> int:
        """The local port that is to be opened. Raises NATError."""
        return self._engine.local_port(protocol, internal_port, external_port)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, internal_port: int) -> None:
        """Shut the port; the NATs forget it soon after."""
        if self._redirect is not None:
            self._redirect.remove(protocol, internal_port)
        self._engine.close_port(protocol, internal_port)

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Call `alert` when the NAT maps an open port to another endpoint, or no longer."""
        with self._lock:
            self._alerts.append(alert)
        return lambda: self._unwatch(alert)

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        """What the servers saw."""
        endpoint = self._engine.endpoint
        return () if endpoint is None else (f"the STUN servers see {endpoint[0]}",)

    def _make_engine(self, interface: str | None) -> "Engine":
        from portmap_punch.engine import Engine  # noqa: PLC0415  # asyncio takes 15 ms, and `any` looks at every backend

        relayed = self._argument.forward is Forward.RELAY
        return Engine(self._peers, self._alert, relayed=relayed, interface=interface)

    def _unwatch(self, alert: Alert) -> None:
        """The loop has ended: so has all that was kept for it."""
        with self._lock:
            if alert in self._alerts:
                self._alerts.remove(alert)
        if self._redirect is not None:
            self._redirect.close()
        self._engine.close()

    def _alert(self, reason: str) -> None:
        with self._lock:
            alerts = tuple(self._alerts)
        for alert in alerts:
            alert(reason)

    def _peers(self) -> list[Peer]:
        """The servers' IPv4 addresses, each once, looked up now. Raises NoGateway where none has one.

        Two names of one address are one server: a NAT that maps by address shows it one endpoint. Of a name that cannot
        be looked up now, the address that it had before is taken.
        """
        found: dict[str, Peer] = {}
        problem: NoGateway | None = None
        for server in self._argument.servers:
            try:
                self._found[server] = [peer for peer in look_up(server) if ":" not in peer[0]]
            except NoGateway as error:
                problem = error
            found |= {peer[0]: peer for peer in self._found.get(server, []) if peer[0] not in found}
        if not found:
            raise problem or NoGateway("no STUN server has an IPv4 address: name another")
        return list(found.values())
