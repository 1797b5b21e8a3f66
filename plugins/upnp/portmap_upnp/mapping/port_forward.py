"""PortForward and MappingRequest: what shall lead where, and what the gateway's table says of it. Pure."""

from ipaddress import IPv4Address
from typing import NamedTuple

from portmap.errors import Conflict, Refused
from portmap.model import Protocol
from portmap_upnp.control.upnp_errors import CONFLICT, NOT_AUTHORIZED
from portmap_upnp.control.wan_connection import PortMappingEntry
from portmap_upnp.mapping.internal_client import parse_client

_SECURE_MODE = (CONFLICT, NOT_AUTHORIZED)  # miniupnpd with secure_mode=yes: 718 of an IGD:1, 606 of an IGD:2


class PortForward(NamedTuple):
    """An external port that is to lead to a port of one host of the LAN, `client`. `to_us`: that is this host."""

    protocol: Protocol
    external_port: int
    client: IPv4Address
    internal_port: int
    to_us: bool = True

    @property
    def key(self) -> tuple[Protocol, int]:
        """What identifies an entry at the gateway."""
        return self.protocol, self.external_port

    def is_in(self, entry: PortMappingEntry | None) -> bool:
        """Whether the gateway's entry does just this, however it writes the client's address."""
        return entry is not None and (parse_client(entry.client), entry.port) == (self.client, self.internal_port)

    def __str__(self) -> str:
        return f"{self.protocol} {self.external_port} to {self.client}:{self.internal_port}"


class MappingRequest(NamedTuple):
    """A forward with what else is asked for it."""

    forward: PortForward
    description: str
    lifetime: int

    def at(self, external_port: int) -> "MappingRequest":
        """The same at another external port."""
        return self._replace(forward=self.forward._replace(external_port=external_port))


def explain(refusal: Refused, forward: PortForward) -> Refused:
    """A refusal of the forward; where it may be due to the host that it leads to, it says so."""
    if forward.to_us or isinstance(refusal, PortTaken) or refusal.code not in _SECURE_MODE:
        return refusal
    message = f"{refusal}; it was asked to map to {forward.client}, and many gateways map to the asking host only"
    return type(refusal)(message, code=refusal.code, text=refusal.text)


def granted(asked: int, listed: int) -> int:
    """The lifetime to report, 0 = permanent: what is listed, never more than was asked for.

    The list tells what is left, and a second may have passed since.

    Some routers list 0 for a lease that they keep all the same: the lease asked for is then believed, since renewing
    what is permanent costs little and not renewing what is not costs the mapping. Where permanent was asked for and a
    lease is listed (IGD:2 makes 0 a week), the list is right.
    """
    if not asked or not listed:
        return asked or listed
    return asked if listed >= asked - 1 else listed


def lease_not_extended(before: PortMappingEntry | None, after: PortMappingEntry, asked: int, whole: int = 0) -> bool:
    """Whether the gateway said yes to a renewal and let the old lease run on: old miniupnpd versions do.

    `whole`: the lifetime granted last, 0 for none. Where all of it was left, the list does not count down: it shows
    nothing of the renewal.
    """
    if before is None or (whole and before.lease >= whole):
        return False
    return 0 < after.lease < asked // 2 and after.lease <= before.lease


class PortTaken(Conflict):
    """The gateway's table shows that the external port leads elsewhere."""

    @classmethod
    def by(cls, forward: PortForward, client: str) -> "PortTaken":
        """The error, as if the gateway had refused the request itself."""
        message = f"external port {forward.external_port}/{forward.protocol} is taken by {client}; ask for another one"
        return cls(message, code=CONFLICT, text="ConflictInMappingEntry")
