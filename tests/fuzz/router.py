"""The simulated router's parsers (`portmap.testing`): it is public, and its clients may be anybody's."""

from contextlib import suppress
from importlib import import_module
from typing import Any

from tests.fuzz import natpmp, seeds

DATAGRAMS = (b"\0\0", b"\0\1\0\0\x76\x5f\x76\x5f\0\0\2\x58", b"\0\2\0\0\x76\x5f\0\0\0\0\0\0", *natpmp.SEEDS)
_MAP = bytes(12) + b"\6" + bytes(3) + b"\x76\x5f\x76\x5f" + bytes(16)
PCP_DATAGRAMS = (
    b"\2\0" + bytes(22),
    b"\2\1" + bytes(22) + _MAP,
    b"\2\1" + bytes(22) + _MAP + b"\2\0\0\0" + b"\3\0\0\x14" + bytes(20),
)
PCP_WORDS = (*natpmp.WORDS, b"\1\0\0\x10" + bytes(16), b"\2\0\0\0", b"\3\0\0\x14" + bytes(20), b"\x80\0\xff\xff")
SEARCHES = (
    b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: ssdp:all\r\n\r\n',
    *seeds.SEARCH_ANSWERS,
)
_BODY = seeds.REPLIES[0][1:]
REQUESTS = (
    b"GET /rootDesc.xml HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b'POST /ctl HTTP/1.1\r\nSOAPAction: "urn:x#AddPortMapping"\r\nContent-Length: %d\r\n\r\n' % len(_BODY) + _BODY,
)
LIMIT = 72 * 1024  # bytes: a head and a body as long as `web` lets them be


def datagram(data: bytes) -> None:
    _part("natpmp").read(data)


def pcp(data: bytes) -> None:
    _part("pcp.packets").read(data)


def search(data: bytes) -> None:
    found = _part("upnp.ssdp").read(data)
    assert found is None or found.target


def request(data: bytes) -> None:
    """HTTP, and the SOAP call in it; both have errors of their own for what they refuse."""
    web, soap = _part("net.http"), _part("upnp.soap")
    with suppress(web.UnreadableRequest, soap.Fault, soap.BareFault):
        found = web.read(data)
        if found is not None:
            soap.read(found)


def _part(name: str) -> Any:
    """Imported late, so that the plugins' parsers can be fuzzed while the router is being changed."""
    return import_module(f"portmap.simulator.{name}")
