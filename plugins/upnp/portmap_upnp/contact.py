"""Whom we talk to, as the hooks' thread and the watch's thread share it; values only."""

from dataclasses import dataclass
from ipaddress import IPv4Address

from portmap_upnp.discovery.description import GatewayDevice, Service


@dataclass(frozen=True, slots=True, eq=False)
class Contact:
    """A gateway that was found, the service of it that we use, and our own address on that side.

    Compared by identity: each finding is another one.
    """

    gateway: GatewayDevice
    service: Service
    us: IPv4Address
