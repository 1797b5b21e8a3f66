"""PCP for IPv6 (RFC 6887): pinholes in the gateway's firewall, as a backend of its own.

Nothing is translated, so the external address is our own global one, and a port is the same on both sides. All
questions leave from that address, for the gateway opens a pinhole to the asking address only (§8.2). Without a global
address nothing is sent.
"""

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv6Address
from typing import ClassVar

from portmap.errors import NoGateway, SpecError
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Grant, Kind, Protocol
from portmap.network import routes
from portmap_pcp.announcement import ANNOUNCED_AT_6
from portmap_pcp.argument import parse_gateway
from portmap_pcp.client import Client
from portmap_pcp.settings import Settings


class PcpPinholes:
    """Speaks PCP to the given gateway, or to the first of `candidates` that answers.

    `own_address` is our global address as it is now, None while we have none.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    ipv6: ClassVar[bool] = True

    def __init__(
        self,
        gateway: IPv6Address | None = None,
        settings: Settings = Settings(),  # noqa: B008  # frozen
        *,
        candidates: Callable[[], Sequence[IPv6Address]] | None = None,
        own_address: Callable[[], IPv6Address | None] | None = None,
    ) -> None:
        if candidates is None:
            candidates = partial(routes.default_gateways6, settings.interface)
        self._own_address = own_address or partial(routes.global_ipv6_address, settings.interface)
        self._client = Client(gateway, candidates, tuple, lambda _: self._ours(), ANNOUNCED_AT_6, settings)

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "PcpPinholes":
        """Nothing, or the gateway's IPv6 address as in fe80::1%eth0. Raises SpecError for anything else."""
        gateway = None if argument is None else parse_gateway(argument)
        if gateway is None or isinstance(gateway, IPv6Address):
            return cls(gateway, Settings.on(interface))
        raise SpecError(f"the gateway {gateway} is an IPv4 address: for pinholes write pcp, or pcp:fe80::1%eth0")

    def __str__(self) -> str:
        return f"{self._client}" if self._client.server else "PCP IPv6"

    @hookimpl
    def external_ip(self) -> IPv6Address:
        """Our own global address, once a gateway has answered."""
        ours = self._ours()
        self._client.meet()
        return ours

    @hookimpl
    def add_mapping(self, protocol: Protocol, internal_port: int, lifetime: int, token: str) -> Grant:
        """Open a pinhole or extend its lease."""
        self._ours()
        return self._client.map(protocol, internal_port, internal_port, lifetime, token)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, internal_port: int, token: str) -> None:
        """Shut the pinhole."""
        self._ours()
        self._client.unmap(protocol, internal_port, token)

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when the gateway lost its state, or when another took its place."""
        return self._client.watch(alert)

    def _ours(self) -> IPv6Address:
        ours = self._own_address()
        if ours is None:
            raise NoGateway(
                "this host has no global IPv6 address, so there is nothing to open: does the provider give one?"
            )
        return ours
