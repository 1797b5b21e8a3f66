"""Our own side of the network, as the kernel tells it: routes, addresses, interfaces, a container's bridge.

Law: looking sends no packet and never fails; what a system does not tell is left out.
"""

import os
import socket
import sys
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from portmap.doctor.findings import HostNetwork
from portmap.errors import NoGateway
from portmap.network.routes import default_gateways, local_address_to

if sys.platform == "linux":
    import fcntl

_OUTSIDE = IPv4Address("192.0.2.1")  # TEST-NET-1, RFC 5737: stands for "anybody out there"; nothing is sent to it
_ROUTES = Path("/proc/net/route")
_INTERFACES = Path("/sys/class/net")
_SIOCGIFADDR = 0x8915  # linux/sockios.h
_ANYWHERE = "00000000"
_CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"))  # Docker's, Podman's
_CONTAINER_GROUPS = ("docker", "containerd", "kubepods", "lxc", "libpod")
_BRIDGES = tuple(IPv4Network(it) for it in ("172.16.0.0/12", "10.88.0.0/16"))  # the pools of Docker, of Podman


def read_host_network() -> HostNetwork:
    """What we see from here."""
    gateways = tuple(default_gateways())
    us = _towards(gateways[0] if gateways else _OUTSIDE)
    addresses = _addresses()
    ways = _default_interfaces()
    interface = next((name for name, address in addresses.items() if address == us), "")
    ignored = tuple(sorted(name for name, address in addresses.items() if name not in {*ways, interface}))
    return HostNetwork(gateways, interface, us, ignored, is_bridged(gateways, interface, in_container()))


def is_bridged(gateways: tuple[IPv4Address, ...], interface: str, container: bool) -> bool:
    """Whether our only way out is a container's bridge: a cable whose other end is elsewhere, to an address of its."""
    on_a_bridge = any(gateways[0] in network for network in _BRIDGES) if gateways else False
    return container and on_a_bridge and _is_virtual(interface)


def in_container() -> bool:
    """Whether we are in one, as far as it shows."""
    if os.environ.get("KUBERNETES_SERVICE_HOST") or any(mark.exists() for mark in _CONTAINER_MARKS):
        return True
    with suppress(OSError):
        groups = Path("/proc/1/cgroup").read_text(encoding="utf-8", errors="replace")
        return any(word in groups for word in _CONTAINER_GROUPS)
    return False


def _towards(peer: IPv4Address) -> IPv4Address | None:
    try:
        return local_address_to(peer)
    except NoGateway:
        return None


def _default_interfaces() -> set[str]:
    """The interfaces that a default route names, those without a gateway (VPNs, PPP) too."""
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
