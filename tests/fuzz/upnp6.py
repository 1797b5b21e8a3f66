"""The UPnP plugin's parsers for IPv6: search answers, URLs, descriptions and replies of a firewall."""

import os
from ipaddress import IPv6Address

from tests.fuzz import seeds

from portmap.errors import Refused
from portmap_upnp.control import firewall_control, soap
from portmap_upnp.discovery import ssdp
from portmap_upnp.discovery.description import parse_firewall_description
from portmap_upnp.location import MAX_URL, Location, parse_location, resolve_control
from portmap_upnp.pinhole_backend import UpnpPinholes

US, HOST = IPv6Address("2a00:77::2"), IPv6Address("fe80::1%eth0")
HERE = Location(HOST, 5000, "/rootDesc.xml")
_STATUSES = (200, 500, 404, 401, 302)
_KIND = ssdp.FIREWALL_TARGET.encode()
_SERVICE = b"<service><serviceType>" + _KIND + b"</serviceType><controlURL>/ctl/IP6FCtl</controlURL></service>"

URLS = (
    b"http://[fe80::1]:5000/rootDesc.xml",
    b"http://[fe80::1%25eth0]:5000/rootDesc.xml",
    b"http://[fe80::1%eth1]/",
    b"http://[2a00:77::1]:65535/x?y#z",
    b"http://[::ffff:192.168.1.1]:80/a",
    b"http://192.168.1.1:5000/",
    b"https://[fe80::1]/",
)
URL_WORDS = (*seeds.URL_WORDS, b"[fe80::1]", b"%25", b"%eth0", b"::", b"fe80:", b"[::]", b"%" * 60)
CONTROL_URLS = tuple(url.replace(b"192.168.1.1", b"[fe80::1]") for url in seeds.CONTROL_URLS)
ANSWERS = tuple(answer.replace(b"192.168.1.1", b"[fe80::1]") for answer in seeds.SEARCH_ANSWERS)
_WITH_FIREWALL = seeds.DESCRIPTIONS[0].replace(b"</serviceList>", _SERVICE + b"</serviceList>")
DESCRIPTIONS = (
    _WITH_FIREWALL.replace(b"<URLBase>", b"<was>").replace(b"</URLBase>", b"</was>"),
    _WITH_FIREWALL.replace(b"192.168.1.1", b"[fe80::1]"),
    b"<r>" + _SERVICE + b"</r>",
    *seeds.DESCRIPTIONS[1:],
)
DESCRIPTION_WORDS = (*seeds.XML_WORDS, _SERVICE, _KIND, b"<URLBase>http://[fe80::1]/</URLBase>")


def _reply(body: bytes, status: bytes = b"\0") -> bytes:
    return status + b"<s:Envelope><s:Body>" + body + b"</s:Body></s:Envelope>"


_FAULT = b"<detail><UPnPError><errorCode>%d</errorCode><errorDescription>x</errorDescription></UPnPError></detail>"
REPLIES = (
    _reply(b"<u:AddPinholeResponse><UniqueID>1</UniqueID></u:AddPinholeResponse>"),
    _reply(
        b"<u:GetFirewallStatusResponse><FirewallEnabled>1</FirewallEnabled>"
        b"<InboundPinholeAllowed>false</InboundPinholeAllowed></u:GetFirewallStatusResponse>"
    ),
    *(_reply(_FAULT % code, b"\1") for code in (606, 701, 702, 703, 704, 402)),
    b"\2<html/>",
)
REPLY_WORDS = (*seeds.XML_WORDS, b"<UniqueID>", b"65536", b"<FirewallEnabled>", b"<InboundPinholeAllowed>", b"yes")


def search_answer(data: bytes) -> None:
    _is_vetted(parse_location(ssdp.parse_answer(data).location, HOST, US))


def location(data: bytes) -> None:
    _is_vetted(parse_location(data.decode("latin-1"), HOST, US))


def control_url(data: bytes) -> None:
    control, _, base = data.decode("utf-8", "replace").partition("\n")
    _is_vetted(resolve_control(control, base, HERE))


def description(data: bytes) -> None:
    _is_vetted(parse_firewall_description(data, HERE).service.control)


def reply(data: bytes) -> None:
    """As `Firewall` reads it: what opened a pinhole has an id, what tells of the firewall says yes or no."""
    status = _STATUSES[data[0] % len(_STATUSES)] if data else 200
    try:
        values = soap.parse_reply("AddPinhole", status, data[1:])
    except Refused as refusal:
        told = firewall_control.in_firewall_words("AddPinhole", refusal)
        if told.code != refusal.code or not str(told):
            raise AssertionError(told) from refusal
        raise told from refusal
    if "FirewallEnabled" in values:
        assert firewall_control._is_on(values, "FirewallEnabled") in (True, False)
    if firewall_control._UNIQUE_ID.fullmatch(unique_id := values.get("UniqueID", "")):
        asked = soap.build_request(ssdp.FIREWALL_TARGET, "DeletePinhole", {"UniqueID": unique_id}).body
        assert f"<UniqueID>{unique_id}</UniqueID>".encode() in (asked or b"")


def argument(data: bytes) -> None:
    assert str(UpnpPinholes.from_argument(os.fsdecode(data))).isprintable()


def _is_vetted(found: Location) -> None:
    """The very host that answered, by the link that it answered on, and a path that breaks no request line."""
    assert str(found.host) == str(HOST)
    assert 1 <= found.port <= 65535
    assert found.path.startswith("/")
    assert found.path.isascii()
    assert found.path.isprintable()
    assert " " not in found.path
    assert len(found.path) <= MAX_URL
