"""The UPnP plugin's parsers: search answers, URLs, descriptions, SOAP replies, HTTP responses."""

from functools import cache
from ipaddress import IPv4Address

from tests.fuzz.peer import Peer

from portmap_upnp.control import soap
from portmap_upnp.control.external_address import parse_external_ip
from portmap_upnp.control.soap_client import REPLY_LIMIT
from portmap_upnp.control.wan_connection import text_of
from portmap_upnp.discovery import ssdp
from portmap_upnp.discovery.description import _TYPE, MAX_SERVICES, parse_description
from portmap_upnp.http import HEAD_LIMIT, Request, exchange
from portmap_upnp.location import MAX_URL, Location, parse_location, resolve_control
from portmap_upnp.notifications import gena

LOOPBACK = IPv4Address("127.0.0.1")
HOST = IPv4Address("192.168.1.1")
HERE = Location(HOST, 5000, "/rootDesc.xml")
SSDP_LIMIT = ssdp.MAX_DATAGRAM + 1  # as `search` receives them
HTTP_LIMIT = REPLY_LIMIT + HEAD_LIMIT + 8192  # and one buffer more than is ever read
EVENT_PATH = "/events"
SID = "uuid:1"
_STATUSES = (200, 500, 404, 401, 302)


def ssdp_answer(data: bytes) -> None:
    found = ssdp.parse_answer(data)
    assert found.location == found.location.strip() != ""


def ssdp_notice(data: bytes) -> None:
    found = ssdp.parse_advertisement(data)
    assert found.location or found.says is ssdp.AdvertisementKind.BYEBYE


def subscription(data: bytes) -> None:
    """The headers SID and TIMEOUT, each on a line."""
    sid, _, timeout = data.decode("latin-1").partition("\n")
    found = gena.parse_subscription(sid, timeout)
    assert found.sid.isprintable()
    assert 1 <= found.lifetime <= 86400


def event(data: bytes) -> None:
    values = gena.parse_event(data, EVENT_PATH, SID)
    told = gena.describe_change({"ExternalIPAddress": "", "ConnectionStatus": ""}, values)
    assert told.isprintable()
    assert len(told) < 200


def location(data: bytes) -> None:
    _is_vetted(parse_location(data.decode("latin-1"), HOST))


def control_url(data: bytes) -> None:
    control, _, base = data.decode("utf-8", "replace").partition("\n")
    _is_vetted(resolve_control(control, base, HERE))


def device_description(data: bytes) -> None:
    found = parse_description(data, HERE)
    assert 1 <= len(found.services) <= MAX_SERVICES
    assert str(found).isprintable()
    for service in found.services:
        assert _TYPE.fullmatch(service.service_type)
        assert soap.build_request(service.service_type, "X", {}).body
        _is_vetted(service.control)


def soap_reply(data: bytes) -> None:
    status = _STATUSES[data[0] % len(_STATUSES)] if data else 200
    values = soap.parse_reply("X", status, data[1:])
    assert all(text_of(values, name).isprintable() for name in values)


def http_response(data: bytes) -> None:
    peer = _peer()
    peer.response = data
    reply = exchange(Location(LOOPBACK, peer.port, "/"), Request(), limit=REPLY_LIMIT, timeout=5)
    assert len(reply.body) <= REPLY_LIMIT


@cache
def _peer() -> Peer:
    """One for the process, started when it is first needed."""
    return Peer()


def external_ip(data: bytes) -> None:
    assert not parse_external_ip(data.decode("ascii", "replace")).is_unspecified


def _is_vetted(found: Location) -> None:
    """The very host that answered, a port that exists, a path that breaks no request line."""
    assert found.host == HOST
    assert 1 <= found.port <= 65535
    assert found.path.startswith("/")
    assert found.path.isascii()
    assert found.path.isprintable()
    assert " " not in found.path
    assert len(found.path) <= MAX_URL
