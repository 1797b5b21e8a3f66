"""--stun A+B: how the NAT maps and filters, asked of the two servers that the user named."""

from ipaddress import IPv4Address

from portmap.errors import PortmapError
from portmap.network.routes import local_address_to
from portmap.reachability.nat_probe import NatProbe
from portmap.reachability.nat_type import NatType
from portmap.wire.exchange import Peer
from portmap.wire.stun.servers import Server, look_up


def measure_nat(servers: tuple[Server, ...], interface: str | None = None) -> NatType | str:
    """What the first two servers show; a sentence where they do not answer. Over IPv4: IPv6 needs no NAT.

    `interface`: the one of this host to ask them by; None: the routing table decides.
    """
    try:
        peers = [_ipv4(server) for server in servers[:2]]
        if peers[0][0] == peers[1][0]:
            return f"{servers[0]} and {servers[1]} are at one address, {peers[0][0]}: name servers at two addresses"
        ours = local_address_to(IPv4Address(peers[0][0]), interface)
        return NatProbe(peers[0], peers[1], ours, interface).measure()
    except PortmapError as error:
        return str(error)


def _ipv4(server: Server) -> Peer:
    found = next((peer for peer in look_up(server) if ":" not in peer[0]), None)
    if found is None:
        raise PortmapError(f"{server} has no IPv4 address: name another server")
    return found
