"""SSDP as a gateway speaks it: an M-SEARCH -> the answers (UDA 1.1 §1.3).

Law: pure. Strict where routers are: the MAN header must be the quoted "ssdp:discover" and there must be an ST.
"""

from dataclasses import dataclass

from portmap.testing.description import CONNECTION, GATEWAY, WAN, Device
from portmap.testing.soap import COMMON, SCHEMAS, WAN_IP
from portmap.testing.web import SERVER, read_headers

PORT = 1900  # UDA 1.1 §1.1
GROUP = "239.255.255.250"
MAX_AGE = 1800  # seconds; UDA 1.1 §1.2.2: at least 1800


@dataclass(frozen=True, slots=True)
class Search:
    """One M-SEARCH: what is looked for."""

    target: str


def read(data: bytes) -> Search | None:
    """Understand a datagram; None for what a gateway does not answer."""
    first, *lines = data.decode("latin-1").split("\r\n")
    headers = read_headers(lines)
    if first != "M-SEARCH * HTTP/1.1" or headers.get("man") != '"ssdp:discover"':
        return None
    return Search(headers["st"]) if headers.get("st") else None


def answers(search: Search, device: Device) -> tuple[bytes, ...]:
    """One datagram for each thing that matches; nothing matches, nothing is said."""
    return tuple(
        _answer(target, udn, device) for target, udn in targets(device).items() if search.target in ("ssdp:all", target)
    )


def targets(device: Device) -> dict[str, str]:
    """All that can be searched for, with the device that answers; a version 2 answers for version 1 as well."""
    versions = range(1, device.igd + 1)
    found = {"upnp:rootdevice": device.udn(GATEWAY), device.udn(GATEWAY): device.udn(GATEWAY)}
    for name in (GATEWAY, WAN, CONNECTION):
        found |= {f"{SCHEMAS}:device:{name}:{version}": device.udn(name) for version in versions}
    found |= {f"{SCHEMAS}:service:{WAN_IP}:{version}": device.udn(CONNECTION) for version in versions}
    return found | {f"{SCHEMAS}:service:{COMMON}:1": device.udn(WAN)}


def _answer(target: str, udn: str, device: Device) -> bytes:
    name = udn if target == udn else f"{udn}::{target}"
    lines = (
        "HTTP/1.1 200 OK",
        f"CACHE-CONTROL: max-age={MAX_AGE}",
        f"ST: {target}",
        f"USN: {name}",
        "EXT:",
        f"SERVER: {SERVER}",
        f"LOCATION: {device.location}",
        f"BOOTID.UPNP.ORG: {device.boot}",
        "CONFIGID.UPNP.ORG: 1",
    )
    return "\r\n".join((*lines, "", "")).encode("ascii")
