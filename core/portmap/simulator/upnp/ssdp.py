"""SSDP, server side: an M-SEARCH -> the answers (UDA 1.1 §1.3), and what is announced unasked (§1.2).

Pure. Strict where miniupnpd is: there must be an ST. The MAN header it does not look at.
"""

from dataclasses import dataclass
from typing import ClassVar

from portmap.simulator.net.http import SERVER, read_headers
from portmap.simulator.upnp.description import CONNECTION, GATEWAY, WAN, Device
from portmap.simulator.upnp.soap import COMMON, FIREWALL, SCHEMAS, WAN_IP, WAN_PPP

PORT = 1900  # UDA 1.1 §1.1
GROUP = "239.255.255.250"
MAX_AGE = 1800  # seconds; UDA 1.1 §1.2.2: at least 1800
EVERY = 900  # seconds between announcements: miniupnpd
ALL = "ssdp:all"
_PPP = f"{WAN_PPP}:1"  # miniupnpd has it beside WANIPConnection, and does the same for both
CONFIG = 1  # CONFIGID.UPNP.ORG: the description never changes but for its port


@dataclass(frozen=True, slots=True)
class Search:
    """One M-SEARCH: what is looked for, and the most seconds that an answer may wait (MX, any text)."""

    heard: ClassVar[str] = "search"
    target: str
    mx: str = ""


def read(data: bytes) -> Search | None:
    """Understand a datagram; None for what a gateway does not answer."""
    first, *lines = data.decode("latin-1").split("\r\n")
    headers = read_headers(lines)
    if first != "M-SEARCH * HTTP/1.1":
        return None
    return Search(headers["st"], headers.get("mx", "")) if headers.get("st") else None


def answers(search: Search, device: Device, least: int = 1) -> tuple[bytes, ...]:
    """One datagram for each thing that matches; nothing matches, nothing is said. Versions from `least` on."""
    if search.target == ALL:
        return tuple(answer(target, udn, device) for target, udn in targets(device, least).items())
    udn = targets(device, least, max(device.igd, device.newest)).get(search.target)
    return () if udn is None else (answer(search.target, udn, device),)


def targets(device: Device, least: int = 1, most: int = 0) -> dict[str, str]:
    """All that can be searched for, with the device that answers, from version `least` to `most` (0: its own)."""
    versions = range(least, (most or device.igd) + 1)
    found = {"upnp:rootdevice": device.udn(GATEWAY), device.udn(GATEWAY): device.udn(GATEWAY)}
    for name in (GATEWAY, WAN, CONNECTION):
        found |= {f"{SCHEMAS}:device:{name}:{version}": device.udn(name) for version in versions}
    wan_services = [device.wan_service] if device.wan_service else [f"{WAN_IP}:{it}" for it in versions] + [_PPP]
    found |= {f"{SCHEMAS}:service:{name}": device.udn(CONNECTION) for name in wan_services}
    if device.firewall:
        found[f"{SCHEMAS}:service:{FIREWALL}:1"] = device.udn(CONNECTION)
    return found | {f"{SCHEMAS}:service:{COMMON}:1": device.udn(WAN)}


def answer(target: str, udn: str, device: Device) -> bytes:
    """The answer for one thing."""
    return _message(
        "HTTP/1.1 200 OK",
        f"CACHE-CONTROL: max-age={MAX_AGE}",
        f"ST: {target}",
        f"USN: {_usn(target, udn)}",
        "EXT:",
        f"SERVER: {SERVER}",
        f"LOCATION: {device.location}",
        *_boot(device),
    )


def alive(device: Device) -> tuple[bytes, ...]:
    """What is said to all after a start, and again from time to time (UDA 1.1 §1.2.2)."""
    extra = (f"CACHE-CONTROL: max-age={MAX_AGE}", f"LOCATION: {device.location}", f"SERVER: {SERVER}")
    return _notify("ssdp:alive", device, extra)


def byebye(device: Device) -> tuple[bytes, ...]:
    """What is said to all before the end (UDA 1.1 §1.2.3)."""
    return _notify("ssdp:byebye", device, ())


def _notify(kind: str, device: Device, extra: tuple[str, ...]) -> tuple[bytes, ...]:
    """One datagram for each of the device's names; its type's highest version only."""
    return tuple(
        _message(
            "NOTIFY * HTTP/1.1",
            f"HOST: {GROUP}:{PORT}",
            f"NT: {target}",
            f"NTS: {kind}",
            f"USN: {_usn(target, udn)}",
            *extra,
            *_boot(device),
        )
        for target, udn in targets(device, device.igd).items()
    )


def _usn(target: str, udn: str) -> str:
    return udn if target == udn else f"{udn}::{target}"


def _boot(device: Device) -> tuple[str, str]:
    return f"BOOTID.UPNP.ORG: {device.boot}", f"CONFIGID.UPNP.ORG: {CONFIG}"


def _message(*lines: str) -> bytes:
    return "\r\n".join((*lines, "", "")).encode("ascii")
