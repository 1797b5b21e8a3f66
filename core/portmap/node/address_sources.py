"""One address family of the node: every source of its address and ports, and which source counts. Pure.

There is one `AddressSources` for IPv4 and one for IPv6, as go-ethereum's lnEndpoint (p2p/enode/localnode.go). A NAT's
ports are no ports of the other family. The order of trust is decided in one place, `best`.
"""

from typing import NamedTuple

from portmap.model import Address, Key, Protocol, Scope, scope_of
from portmap.node.ip_tracker import IPTracker


class BestEndpoint(NamedTuple):
    """What a family publishes."""

    ip: Address | None
    tcp: int | None
    udp: int | None


class AddressSources:
    """The sources of one family, each None or empty while it knows nothing."""

    def __init__(self) -> None:
        self.static_ip: Address | None = None
        self.gateway_ip: Address | None = None
        self.peers = IPTracker()
        self.fallback_ip: Address | None = None
        self.fallback_ports: dict[Protocol, int] = {}
        self._mapped: dict[Key, int] = {}  # in the order in which the mappings came up
        self._pinholes: dict[Key, tuple[int, Address]] = {}  # likewise

    def mapping_opened(self, key: Key, port: int) -> None:
        """The mapping is up at this external port. The local port of its protocol is no longer used."""
        self._mapped[key] = port
        self.fallback_ports.pop(key.protocol, None)

    def mapping_closed(self, key: Key) -> None:
        """The mapping, if it is known, is no longer up."""
        self._mapped.pop(key, None)

    def pinhole_opened(self, key: Key, port: int | None, address: Address | None) -> None:
        """The firewall lets the port through at our own address."""
        if port and address is not None and scope_of(address) is Scope.PUBLIC:
            self._pinholes[key] = port, address
        else:
            self.pinhole_closed(key)

    def pinhole_closed(self, key: Key) -> None:
        """The firewall no longer lets the port through."""
        self._pinholes.pop(key, None)

    def drop_local_port(self, key: Key) -> None:
        """Forget the local port as a start value: no mapping of it is wanted any more."""
        if self.fallback_ports.get(key.protocol) == key.internal_port:
            del self.fallback_ports[key.protocol]

    def best(self, now: int) -> BestEndpoint:
        """The best of all sources at `now`, in milliseconds; a mapped port wins.

        Owner, gateway, our own address behind a pinhole, peers, fallback.
        """
        ip, ports = self._without_mappings(now)
        for key, (port, _) in reversed(self._pinholes.items()):
            ports[key.protocol] = port
        for key, port in reversed(self._mapped.items()):
            ports[key.protocol] = port
        usable = ip if ip is not None and not ip.is_unspecified else None
        return BestEndpoint(usable, ports.get(Protocol.TCP), ports.get(Protocol.UDP))

    def _without_mappings(self, now: int) -> tuple[Address | None, dict[Protocol, int]]:
        if self.static_ip is not None:
            return self.static_ip, dict(self.fallback_ports)
        if self.gateway_ip is not None:
            return self.gateway_ip, {}  # our local ports are not open there
        if self._pinholes:
            return next(iter(self._pinholes.values()))[1], {}
        seen = self.peers.predict(now)
        if seen is not None:
            return seen.ip, self.fallback_ports | {Protocol.UDP: seen.port}
        return self.fallback_ip, dict(self.fallback_ports)
