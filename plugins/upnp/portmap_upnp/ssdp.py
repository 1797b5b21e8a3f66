"""SSDP datagrams (UPnP Device Architecture 1.1 §1.3): the question as bytes, the answer as a value; pure.

Law: an answer is hostile until `location` has vetted it. Spelling, spacing, order and line ends are forgiven, since
routers get them wrong; size, status and the presence of a LOCATION are not.
"""

from portmap.errors import Garbled

ADDRESS = "239.255.255.250"  # UDA 1.1 §1.3.2
PORT = 1900
TTL = 2  # UDA 1.1 §1.3.2
MAX_ANSWER = 4096  # a real one has about 400 bytes
_MX = 1  # seconds that answers may be spread over; devices ignore a search without it

TARGETS = (
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
)
"""Whom we ask for: some routers answer to only one of these names, most (IGD:2 as well) to the first."""


def m_search(target: str) -> bytes:
    """The search request. HOST names the group even when sent to one gateway: some devices check it."""
    lines = (
        "M-SEARCH * HTTP/1.1",
        f"HOST: {ADDRESS}:{PORT}",
        'MAN: "ssdp:discover"',  # without the quotes some routers stay silent
        f"MX: {_MX}",
        f"ST: {target}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")


def parse_answer(datagram: bytes) -> str:
    """The LOCATION that a search answer names, unvetted. Raises Garbled for all that is not a 200 with one."""
    if len(datagram) > MAX_ANSWER:
        raise Garbled(f"an SSDP answer of {len(datagram)} bytes is over the {MAX_ANSWER} that we read")
    first, *lines = datagram.decode("latin-1").split("\n")
    version, _, status = first.strip().partition(" ")
    if not version.upper().startswith("HTTP/1.") or status.split()[:1] != ["200"]:
        raise Garbled(f"not an SSDP answer: {first[:60]!r}")
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() == "location" and value.strip():
            return value.strip()
    raise Garbled("an SSDP answer without a LOCATION")
