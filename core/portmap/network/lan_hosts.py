"""LanHosts: the address of another host of our network that a mapping is to lead to, if it may.

A mapping opens a port of that host to the internet, so only a host that is plainly a neighbour is one: a private
address of a network that we are connected to, which is neither ours nor the gateway's. On loopback, where simulated
gateways are, any other address of loopback is a neighbour.
"""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from portmap.errors import SILENCE, NoGateway, Refused
from portmap.gateway_names import ipv4_gateway_address
from portmap.model import Scope, scope_of
from portmap.network import routes
from portmap.network.name_lookup import LookUp, NameLookup, look_up
from portmap.network.routes import default_gateways, local_address_to

TIMEOUT = 2.0  # seconds for a name; below what the end of a session may take


class LanHosts:
    """Finds hosts by name or address. The functions are this system's unless a test gives others.

    A host must be in the network of the `interface`; None: in any of ours.
    """

    def __init__(
        self,
        look_up: LookUp = look_up,
        network_of: Callable[[IPv4Address], IPv4Network | None] | None = None,
        routers: Callable[[], list[IPv4Address]] = default_gateways,
        own_address_to: Callable[[IPv4Address], IPv4Address] = local_address_to,
        interface: str | None = None,
    ) -> None:
        self._by = f" by {interface}" if interface else ""
        self._look_up = look_up
        self._network_of = network_of or partial(routes.network_of, interface=interface)
        self._routers = routers
        self._own_address_to = own_address_to
        self._names: dict[str, NameLookup] = {}

    def address_of(self, host: str, gateway: str) -> IPv4Address:
        """The host's address now; of several the first that will do. `gateway`: as its backend names it.

        Raises Refused where no mapping may lead there, or where the name has no address, or none in time.
        """
        refusals: list[Refused] = []
        for address in self._addresses(host):
            try:
                self._check(address, gateway)
            except Refused as error:
                refusals.append(error)
            else:
                return address
        raise refusals[0] if refusals else Refused(f"{host} has no IPv4 address: name one")

    def _addresses(self, host: str) -> list[IPv4Address]:
        try:
            return [IPv4Address(host)]
        except ValueError:
            name = self._names.setdefault(host, NameLookup(host, TIMEOUT, self._look_up))
        try:
            found = name.addresses()
        except SILENCE as error:
            raise Refused(str(error)) from error
        return list(dict.fromkeys(address for address in found if isinstance(address, IPv4Address)))

    def _check(self, address: IPv4Address, gateway: str) -> None:
        """Raises Refused where no mapping may lead there."""
        router = ipv4_gateway_address(gateway)
        if address == router or address in self._routers():
            raise Refused(f"{address} is a router: no mapping is made to it")
        if self._is_ours(address):
            raise Refused(f"{address} is this computer: leave @{address} out")
        if address.is_loopback and router is not None and router.is_loopback:
            return
        if scope_of(address) is not Scope.PRIVATE:
            raise Refused(f"{address} is not of a private network: no mapping is made to it")
        network = self._network_of(address)
        if network is None:
            connected = f"no network that this computer is connected to{self._by}"
            raise Refused(f"{address} is in {connected}: no mapping is made to it")
        if network.prefixlen < 31 and address in (network.network_address, network.broadcast_address):
            raise Refused(f"{address} is no host of {network}, but its first or last address: name a host")

    def _is_ours(self, address: IPv4Address) -> bool:
        try:
            return self._own_address_to(address) == address
        except NoGateway:
            return False
