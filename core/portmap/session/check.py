"""`portmap.check`: from a user's words to one verdict per port. Opens no port at the gateway.

Where a running session of this host holds the port, its external address and port are taken from its status; else the
gateway is asked for its address and, where it has a table, for the mapping.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from portmap.backends.load import checked_spec, load
from portmap.backends.nat import Nat
from portmap.errors import PortmapError, SpecError
from portmap.model import Address, Listed, PortRequest
from portmap.network.egress import address_towards, client_of
from portmap.network.routes import is_on_link, local_address_to
from portmap.reachability.check import Endpoint, check_port
from portmap.reachability.echo import EchoClient
from portmap.reachability.stun_responder import PREFIX, StunResponder
from portmap.reachability.verdict import Reachability
from portmap.storage.status import UP
from portmap.storage.status_file import live_sessions
from portmap.syntax.mappings import check_distinct, to_requests
from portmap.syntax.plugin_specs import interface_in, on_interface

MAX_PORTS = 16  # a check takes seconds, and a responder checks one port a second


def check(
    ports: Iterable[str | int | PortRequest],
    *,
    via: str | None = None,
    nat: str | Nat = "any",
    interface: str | None = None,
    state: str | Path | None = None,
) -> tuple[Reachability, ...]:
    """Check each port, `[EXT:]INT[@HOST][/tcp|udp|both]`: `portmap.check(["25565"], via="https://echo.example.org")`.

    `via` is the URL of a responder outside: echoip's interface, as `portmap echo` speaks it; or `stun:HOST[:PORT]`, a
    server of RFC 5780, for UDP ports on which no program listens. Without one, only what can
    be seen from inside is judged. `nat` is asked for the external address where no session below the folder `state`
    holds the port. `interface`: the one of this host to ask all of them by; None: the routing table decides.

    Raises SpecError for what makes no sense; what goes wrong afterwards is part of the verdict.
    """
    requests = tuple(request for port in ports for request in to_requests(_text(port)))
    check_distinct(requests)
    if not 1 <= len(requests) <= MAX_PORTS:
        raise SpecError(f"{len(requests)} ports cannot be checked at once: name 1 to {MAX_PORTS}")
    if any(request.follow for request in requests):
        raise SpecError("follow names no port: name the port that was granted")
    if interface is not None and not isinstance(nat, str):
        raise SpecError("an interface needs the gateway as a spec: write it so, as in 'any'")
    gateway = on_interface(nat, interface) if isinstance(nat, str) else nat
    interface = checked_spec(gateway).interface if isinstance(gateway, str) else gateway.interface
    responder = _responder(via, interface) if via is not None else None
    endpoints = _Endpoints(gateway, None if state is None else Path(state), interface)
    return tuple(check_port(request, endpoints.of(request), responder, interface=interface) for request in requests)


def _responder(via: str, interface: str | None) -> EchoClient | StunResponder:
    kind = StunResponder if via.startswith(PREFIX) else EchoClient
    return kind.parse(via, interface)


def _text(port: str | int | PortRequest) -> str | PortRequest:
    return str(port) if isinstance(port, int) else port


@dataclass(slots=True)
class _Endpoints:
    """Where each port is to be reached. The gateway is asked once, and only where no session knows."""

    nat: str | Nat
    state: Path | None
    interface: str | None = None
    _gateway: "_GatewayView | None" = None

    def of(self, request: PortRequest) -> Endpoint:
        """The external address and port of one request."""
        if (held := self._held(request)) is not None:
            return held
        self._gateway = self._gateway or _GatewayView.ask(self.nat)
        gateway, port = self._gateway, self._gateway.port_of(request)
        client = client_of(gateway.name, self.interface, relays=gateway.relays)
        target = gateway.other_target_of(request, port)
        unknown = not gateway.tells_of(request, port)
        return Endpoint(gateway.address, port, gateway.error, client, target, gateway.relays, unknown)

    def _held(self, request: PortRequest) -> Endpoint | None:
        """The endpoint at which a running session of this host holds the port: one by the chosen interface, if any."""
        wanted = (request.protocol, request.internal_port, request.host, False)
        for session in live_sessions(self.state) if self.state is not None else ():
            if self.interface is not None and interface_in(session.nat) not in (None, self.interface):
                continue
            for port in session.ports:
                address = port.external_ip or session.external_ip
                is_it = (port.protocol, port.program_port, port.host, port.ipv6) == wanted and port.state == UP
                if is_it and address is not None and port.external_port is not None:
                    client = client_of(session.gateway, self.interface, relays=session.relays)
                    return Endpoint(ip_address(address), port.external_port, client=client, relayed=session.relays)
        return None


@dataclass(frozen=True, slots=True)
class _GatewayView:
    """What the gateway says of itself: its name, its address, and its table where it has one.

    `relays`: the backend itself hands on what arrives.
    """

    address: Address | None = None
    table: tuple[Listed, ...] = ()
    error: str = ""
    name: str = ""
    relays: bool = False

    @classmethod
    def ask(cls, nat: str | Nat) -> "_GatewayView":
        """Ask for both. Raises SpecError or PluginError; a gateway that does not answer is an `error`."""
        backend = load(nat) if isinstance(nat, str) else nat
        try:
            address = backend.external_ip()
        except PortmapError as error:
            return cls(error=str(error))
        try:
            table = backend.list_mappings() or ()
        except PortmapError:
            table = ()  # it is of use only where a port is mapped to another
        return cls(address, table, name=str(backend), relays=backend.relays)

    def port_of(self, request: PortRequest) -> int:
        """The external port: the one named, that of the row that leads to the host, else the same number."""
        if request.external_port:
            return request.external_port
        return next((row.external_port for row in self.table if _is_of(row, request)), request.internal_port)

    def tells_of(self, request: PortRequest, external_port: int) -> bool:
        """Whether it is known that the external port leads to the host: by the table, or as the address is our own."""
        ours = isinstance(self.address, IPv4Address) and address_towards(self.address) == self.address
        return ours or any(_is_of(row, request) and row.external_port == external_port for row in self.table)

    def other_target_of(self, request: PortRequest, external_port: int) -> str:
        """The neighbour and port that the external port leads to, where that is not what is asked about; else ""."""
        port = request.protocol, external_port
        rows = [row for row in self.table if (row.protocol, row.external_port) == port and _is_beside_us(row.client)]
        if not rows or _is_name(request.host) or any(_is_of(row, request) for row in rows):
            return ""
        return f"{rows[0].client}:{rows[0].internal_port}"


def _is_of(row: Listed, request: PortRequest) -> bool:
    """Whether the row leads to the host and port that is asked about."""
    port = request.protocol, request.internal_port
    return (row.protocol, row.internal_port) == port and _leads_to(row, request.host)


def _is_beside_us(client: str) -> bool:
    """Whether it is an address of a network of ours: one behind another router says nothing here."""
    try:
        address = IPv4Address(client)
    except ValueError:
        return False
    return address.is_loopback or is_on_link(address)


def _is_name(host: str) -> bool:
    """Whether the host is told by a name, which no table repeats."""
    try:
        IPv4Address(host or "0.0.0.0")  # noqa: S104  # nothing is bound: it stands for this host
    except ValueError:
        return True
    return False


def _leads_to(row: Listed, host: str) -> bool:
    """Whether the row's client is that host; for an empty one this host, by our address on the way to it."""
    if host:
        return row.client == host
    try:
        client = IPv4Address(row.client)
        return local_address_to(client) == client
    except (ValueError, PortmapError):
        return False
