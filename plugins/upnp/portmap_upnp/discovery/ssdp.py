"""SSDP datagrams (UPnP Device Architecture 1.1 §1.2 and §1.3): M-SEARCH as bytes, answers and NOTIFY as values.

Pure. A LOCATION is hostile until `location` has vetted it. Spelling, spacing, order and line ends are forgiven, since
routers get them wrong; size, status and the presence of what matters are not.
"""

import re
from enum import Enum
from typing import NamedTuple

from portmap.errors import Garbled

ADDRESS = "239.255.255.250"  # UDA 1.1 §1.3.2
ADDRESS6 = "ff02::c"  # UDA 1.1 annex A.3: link-local scope
PORT = 1900
TTL = 2  # UDA 1.1 §1.3.2
MAX_DATAGRAM = 4096  # a real one has about 400 bytes
_MX = 1  # seconds that answers may be spread over; devices ignore a search without it
_BOOT = re.compile(r"[0-9A-Za-z.-]{1,40}")  # 31 bits (UDA 1.1 §1.2.2), spelt somehow, or a UUID; people get to see it
_BOOT_ID = "bootid.upnp.org"
_SIGNATURE = "01-nls"  # libupnp's, which is of UPnP 1.0: it draws one at each start

TARGETS = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:2",
    "urn:dslforum-org:device:InternetGatewayDevice:1",
)
"""What we search for: some routers answer to only one of these names, most (IGD:2 as well) to the first; a few know
only the last, which is an old one."""

FIREWALL_TARGET = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
_NOTIFIED = re.compile(  # any version, any letter case: as `description` understands them
    r"urn:[a-z0-9.-]{1,40}:(device:InternetGatewayDevice|service:WAN(IP|PPP)Connection|service:WANIPv6FirewallControl)"
    r"(:[0-9.]{0,8})?",
    re.IGNORECASE,
)


class SearchAnswer(NamedTuple):
    """A search answer: the LOCATION, unvetted, the BOOTID, which changes with a restart, the target; "" for none."""

    location: str
    boot: str = ""
    target: str = ""


class AdvertisementKind(Enum):
    """The NTS of a NOTIFY."""

    ALIVE = "ssdp:alive"
    BYEBYE = "ssdp:byebye"
    UPDATE = "ssdp:update"


class Advertisement(NamedTuple):
    """A NOTIFY of a gateway. `location` is unvetted, and "" in a byebye."""

    says: AdvertisementKind
    location: str = ""
    boot: str = ""


def m_search(target: str, group: str = ADDRESS) -> bytes:
    """The search request. HOST names the group even when sent to one gateway: some devices check it."""
    lines = (
        "M-SEARCH * HTTP/1.1",
        f"HOST: {group}:{PORT}",
        'MAN: "ssdp:discover"',  # without the quotes some routers stay silent
        f"MX: {_MX}",
        f"ST: {target}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def parse_answer(datagram: bytes) -> SearchAnswer:
    """Read a search answer. Raises Garbled for all that is not a 200 with a LOCATION."""
    first, headers = _headers(datagram)
    version, _, status = first.partition(" ")
    if not version.upper().startswith("HTTP/1.") or status.split()[:1] != ["200"]:
        raise Garbled(f"not an SSDP answer: {first[:60]!r}")
    if "location" not in headers:
        raise Garbled("an SSDP answer without a LOCATION")
    return SearchAnswer(headers["location"], _boot(headers), headers.get("st", ""))


def parse_advertisement(datagram: bytes) -> Advertisement:
    """Read a NOTIFY. Raises Garbled for one that does not concern port mapping.

    The same host may be a media server as well, with a LOCATION and a BOOTID of its own: those are not ours.
    """
    first, headers = _headers(datagram)
    if first.split()[:2] != ["NOTIFY", "*"] or not _NOTIFIED.fullmatch(headers.get("nt", "")):
        raise Garbled(f"not a gateway's announcement: {first[:60]!r} {headers.get('nt', '')[:60]!r}")
    match headers.get("nts", "").lower():
        case "ssdp:alive" if "location" in headers:
            return Advertisement(AdvertisementKind.ALIVE, headers["location"], _boot(headers))
        case "ssdp:byebye":
            return Advertisement(AdvertisementKind.BYEBYE, boot=_boot(headers))
        case "ssdp:update" if "location" in headers:
            return Advertisement(AdvertisementKind.UPDATE, headers["location"], _boot(headers, "nextbootid.upnp.org"))
    raise Garbled(f"an announcement that says nothing: NTS {headers.get('nts', '')[:60]!r}")


def _headers(datagram: bytes) -> tuple[str, dict[str, str]]:
    """The first line, and the headers that have a value: names in lower case, the first of each name."""
    if len(datagram) > MAX_DATAGRAM:
        raise Garbled(f"an SSDP datagram of {len(datagram)} bytes is over the {MAX_DATAGRAM} that we read")
    first, *lines = datagram.decode("latin-1").split("\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if value.strip():
            headers.setdefault(name.strip().lower(), value.strip())
    return first.strip(), headers


def _boot(headers: dict[str, str], name: str = _BOOT_ID) -> str:
    boot = headers.get(name) or (headers.get(_SIGNATURE, "") if name == _BOOT_ID else "")
    return boot if _BOOT.fullmatch(boot) else ""
