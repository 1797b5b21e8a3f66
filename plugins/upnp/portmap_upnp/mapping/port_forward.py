"""One port forward as we want it, and what the gateway's table says of it; pure."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from portmap.errors import Conflict
from portmap.model import Protocol
from portmap_upnp.control.upnp_errors import CONFLICT
from portmap_upnp.control.wan_connection import PortMappingEntry


@dataclass(frozen=True, slots=True)
class PortForward:
    """What shall lead where: an external port to a port of one host of the LAN, `client`."""

    protocol: Protocol
    external_port: int
    client: IPv4Address
    internal_port: int

    @property
    def key(self) -> tuple[Protocol, int]:
        """What identifies an entry at the gateway."""
        return self.protocol, self.external_port

    def is_in(self, entry: PortMappingEntry | None) -> bool:
        """Whether the gateway's entry does just this."""
        return entry is not None and (entry.client, entry.port) == (str(self.client), self.internal_port)

    def __str__(self) -> str:
        return f"{self.protocol} {self.external_port} to {self.client}:{self.internal_port}"


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


def lease_not_extended(before: PortMappingEntry | None, after: PortMappingEntry, asked: int) -> bool:
    """Whether the gateway said yes to a renewal and let the old lease run on: old miniupnpd versions do."""
    return before is not None and 0 < after.lease < asked // 2 and after.lease <= before.lease


def conflict(forward: PortForward, by: str) -> Conflict:
    """The error for an external port that is somebody else's, as if the gateway had said so."""
    message = f"external port {forward.external_port}/{forward.protocol} is taken by {by}; ask for another one"
    return Conflict(message, code=CONFLICT, text="ConflictInMappingEntry")
