"""Pinholes, the pure part: which URL is followed by IPv6, what a description must have, what is sent."""

from ipaddress import IPv6Address

import pytest

from portmap.errors import Garbled
from portmap_upnp.control import soap
from portmap_upnp.discovery.description import Service, parse_firewall_description
from portmap_upnp.discovery.ssdp import FIREWALL_TARGET as SERVICE
from portmap_upnp.location import Location, parse_location, parse_url, resolve_control

OURS = IPv6Address("2a00:77::2")
ROUTER = IPv6Address("2a00:77::1")
ON_LINK = IPv6Address("fe80::1%eth0")
AT = Location(ON_LINK, 5000, "/desc.xml")


@pytest.mark.parametrize(
    ("url", "sender"),
    [
        ("http://[2a00:77::1]:5000/desc.xml", ROUTER),
        ("http://[fe80::1]:5000/desc.xml", ON_LINK),
        ("http://[fe80::1%25eth7]:5000/desc.xml", ON_LINK),
        ("http://[fd00::1]:5000/desc.xml", IPv6Address("fd00::1")),
        ("http://[::1]:5000/desc.xml", IPv6Address("::1")),
    ],
)
def test_the_answering_host_is_followed_and_the_zone_is_ours(url: str, sender: IPv6Address) -> None:
    assert parse_location(url, sender, OURS) == Location(sender, 5000, "/desc.xml")


@pytest.mark.parametrize("host", ["[2a00:77::9]", "[fe80::1]", "192.168.1.1", "router", "(null)", "[::1]"])
def test_a_location_that_names_another_host_leads_to_the_sender(host: str) -> None:
    assert parse_location(f"http://{host}:5000/d.xml", ROUTER, OURS) == Location(ROUTER, 5000, "/d.xml")


@pytest.mark.parametrize(
    "url",
    [
        "https://[2a00:77::1]:5000/",
        "http://me@[2a00:77::1]:5000/",
        "http://[2a00:77::1]:0/",
        "http://[2a00:77::1]:99999/",
        "http://[2a00:77::1",
        "http://[2a00:77::1]:5000/ x",
        "http://[2a00:77::1]:5000/" + "x" * 1024,
        "",
    ],
)
def test_anything_else_is_not_followed(url: str) -> None:
    with pytest.raises(Garbled):
        parse_location(url, ROUTER, OURS)


def test_a_device_from_another_network_is_not_followed() -> None:
    with pytest.raises(Garbled, match="not an address of this network"):
        parse_location("http://[2a00:78::1]:5000/", IPv6Address("2a00:78::1"), OURS)


def test_a_user_may_name_any_ipv6_host_and_its_zone() -> None:
    assert parse_url("http://[fe80::1%eth0]:5000/desc.xml") == AT
    assert str(AT) == "http://[fe80::1%eth0]:5000/desc.xml"
    assert AT.url == "http://[fe80::1]:5000/desc.xml"


@pytest.mark.parametrize(
    ("control", "base", "path"),
    [
        ("/ctl", "", "/ctl"),
        ("ctl", "", "/ctl"),
        ("//ctl", "", "/ctl"),
        ("ctl", "http://[fe80::1]:5000/base/", "/base/ctl"),
        ("http://[fe80::1]:5000/ctl?x=1", "", "/ctl?x=1"),
    ],
)
def test_a_control_url_stays_on_its_host_and_keeps_the_zone(control: str, base: str, path: str) -> None:
    assert resolve_control(control, base, AT) == Location(ON_LINK, 5000, path)


@pytest.mark.parametrize("control", ["", "http://[fe80::2]:5000/ctl", "http://192.168.1.1/ctl", "http://[", "x" * 1025])
def test_a_control_url_that_leads_astray_is_refused(control: str) -> None:
    with pytest.raises(Garbled):
        resolve_control(control, "", AT)


def described(service_type: str) -> bytes:
    service = f"<service><serviceType>{service_type}</serviceType><controlURL>/ctl</controlURL></service>"
    return f"<root><device><serviceList>{service}</serviceList></device></root>".encode()


@pytest.mark.parametrize("service_type", [SERVICE, SERVICE.lower(), SERVICE[:-1] + "2", SERVICE[:-2]])
def test_the_firewall_is_found_in_a_description_whatever_its_version_and_case(service_type: str) -> None:
    found = parse_firewall_description(described(service_type), AT)
    assert found.service == Service(service_type, Location(ON_LINK, 5000, "/ctl"))


@pytest.mark.parametrize("bad", ["", "http://192.168.1.1/ctl", "http://["])
def test_a_firewall_with_a_bad_control_url_is_passed_over_for_the_next(bad: str) -> None:
    first = described(SERVICE).replace(b"/ctl", bad.encode())
    found = parse_firewall_description(b"<root>" + first + described(SERVICE) + b"</root>", AT)
    assert found.service.control == Location(ON_LINK, 5000, "/ctl")


def test_where_no_firewall_has_a_good_control_url_the_reason_is_told() -> None:
    with pytest.raises(Garbled, match="empty control URL"):
        parse_firewall_description(described(SERVICE).replace(b"/ctl", b""), AT)


@pytest.mark.parametrize("document", [described("urn:x"), b"", b"<root>", b"<!DOCTYPE x><root/>"])
def test_a_description_without_one_is_garbled(document: bytes) -> None:
    with pytest.raises(Garbled):
        parse_firewall_description(document, AT)


def test_a_status_that_says_nothing_is_no_success() -> None:
    with pytest.raises(Garbled):
        soap.parse_reply("GetFirewallStatus", 200, b"<a/>")
