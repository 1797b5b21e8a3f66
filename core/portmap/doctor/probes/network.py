"""Reads this host's side of the network from the kernel: routes, addresses, interfaces, a container's bridge.

Sends no packet and raises nothing; what a system does not tell is left out.
"""

import os
import socket
import sys
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from portmap.doctor.findings import HostNetwork
from portmap.network.egress import address_towards, outward_address
from portmap.network.routes import default_gateways, global_ipv6_address

if sys.platform == "linux":
    import fcntl

_ROUTES = Path("/proc/net/route")
_INTERFACES = Path("/sys/class/net")
_SIOCGIFADDR = 0x8915  # linux/sockios.h
_ANYWHERE = "00000000"
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))  # Docker's, Podman's
_CONTAINER_GROUPS = ("docker", "containerd", "kubepods", "lxc", "libpod")
_BRIDGES = tuple(IPv4Network(it) for it in ("172.16.0.0/12", "10.88.0.0/16"))  # the pools of Docker, of Podman


def read_host_network(chosen: str | None = None) -> HostNetwork:
    """Read it all; with a `chosen` interface the gateways of its network, and our addresses there."""
    gateways = tuple(default_gateways(chosen))
    outward = outward_address(chosen)
    us = address_towards(gateways[0], chosen) if gateways else outward
    addresses = _addresses()
    ways = _default_interfaces()
    interface, outward_interface = (_interface_of(address, addresses) for address in (us, outward))
    used = {*ways, interface, outward_interface}
    return HostNetwork(
        gateways=gateways,
        interface=interface,
        us=us,
        ignored=tuple(sorted(addresses.keys() - used)),
        bridged=is_bridged(gateways, interface, in_container()),
        outward=outward,
        outward_interface=outward_interface,
        ipv6=global_ipv6_address(chosen),
        chosen=chosen or "",
    )


def _interface_of(address: IPv4Address | None, addresses: dict[str, IPv4Address]) -> str:
    return next((name for name, its in addresses.items() if its == address), "")


def is_bridged(gateways: tuple[IPv4Address, ...], interface: str, container: bool) -> bool:
    """Whether our only way out is a container's bridge: a veth pair, and a gateway in the bridge's address range."""
    on_a_bridge = any(gateways[0] in network for network in _BRIDGES) if gateways else False
    return container and on_a_bridge and _is_virtual(interface)


def in_container() -> bool:
    """Whether we are in a container, as far as it shows."""
    if os.environ.get("KUBERNETES_SERVICE_HOST") or any(mark.exists() for mark in _CONTAINER_MARKS):
        return True
    with suppress(OSError):
        groups = Path("/proc/1/cgroup").read_text(encoding="utf-8", errors="replace")
        return any(word in groups for word in _CONTAINER_GROUPS)
    return False


def _default_interfaces() -> set[str]:
    """The interfaces of the default routes, also of those without a gateway (VPNs, PPP)."""
    try:
        lines = _ROUTES.read_text(encoding="ascii", errors="replace").splitlines()[1:]
    except OSError:
        return set()
    rows = (line.split() for line in lines)
    return {row[0] for row in rows if len(row) > 7 and (row[1], row[7]) == (_ANYWHERE, _ANYWHERE)}


def _addresses() -> dict[str, IPv4Address]:
    """The IPv4 address of each interface but loopback's."""
    found: dict[str, IPv4Address] = {}
    if sys.platform == "linux":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            for _, name in socket.if_nameindex():
                with suppress(OSError):  # it has none
                    answer = fcntl.ioctl(probe, _SIOCGIFADDR, name.encode()[:15].ljust(256, b"\0"))
                    found[name] = IPv4Address(answer[20:24])
    return {name: address for name, address in found.items() if not address.is_loopback}


def _is_virtual(interface: str) -> bool:
    """Whether it is one end of a veth pair: its other end has another number."""
    try:
        ends = [(_INTERFACES / interface / name).read_text().strip() for name in ("ifindex", "iflink")]
    except OSError:
        return False
    return ends[0] != ends[1]
