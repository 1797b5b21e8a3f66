from ipaddress import IPv4Address

import pytest

from portmap.errors import Garbled
from portmap_upnp.location import Location, names_host, parse_location, parse_url, resolve_control

ROUTER = IPv4Address("192.168.1.1")
HERE = Location(ROUTER, 5000, "/desc/root.xml")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("http://192.168.1.1:5000/root.xml", Location(ROUTER, 5000, "/root.xml")),
        ("http://192.168.1.1/root.xml", Location(ROUTER, 80, "/root.xml")),
        ("HTTP://192.168.1.1:5000", Location(ROUTER, 5000, "/")),
        ("http://192.168.1.1:65535/a?b=c#d", Location(ROUTER, 65535, "/a?b=c")),
        ("http://169.254.3.4:80/", Location(IPv4Address("169.254.3.4"), 80, "/")),
        ("http://127.0.0.1:80/", Location(IPv4Address("127.0.0.1"), 80, "/")),
    ],
)
def test_a_plain_private_url_is_taken(url: str, location: Location) -> None:
    assert parse_url(url) == location


@pytest.mark.parametrize(
    "url",
    [
        "",
        "(null)",
        "//192.168.1.1/root.xml",
        "https://192.168.1.1/root.xml",
        "file:///etc/passwd",
        "gopher://192.168.1.1:25/",
        "http:///root.xml",
        "http://router.lan/root.xml",
        "http://localhost/root.xml",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://192.168.001.1/",
        "http://192.168.1.1.nip.io/",
        "http://8.8.8.8/root.xml",
        "http://0.0.0.0/root.xml",
        "http://255.255.255.255/",
        "http://224.0.0.1/",
        "http://198.51.100.7/",
        "http://[192.168.1.1]/",
        "http://[",
        "http://admin:secret@192.168.1.1/",
        "http://192.168.1.1@8.8.8.8/",
        "http://192.168.1.1:0/",
        "http://192.168.1.1:65536/",
        "http://192.168.1.1:-1/",
        "http://192.168.1.1:http/",
        "http://192.168.1.1/a b",
        "http://192.168.1.1/\r\nHost: evil",
        "http://192.168.1.1/\x00",
        "http://192.168.1.1/\u00e4",
        "http://192.168.1.1/" + "a" * 1024,
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(Garbled):
        parse_url(url)


def test_a_location_may_name_the_host_that_answered() -> None:
    assert parse_location("http://192.168.1.1:5000/x", ROUTER) == Location(ROUTER, 5000, "/x")


@pytest.mark.parametrize(
    "other",
    ["192.168.1.2", "127.0.0.1", "10.0.0.1", "8.8.8.8", "[::1]", "[fe80::1%25eth0]", "(null)", "router.lan", ""],
)
def test_a_location_that_names_another_host_leads_to_the_sender(other: str) -> None:
    assert parse_location(f"http://{other}:5000/x", ROUTER) == Location(ROUTER, 5000, "/x")
    assert not names_host(f"http://{other}:5000/x", ROUTER)


def test_a_sender_outside_this_network_is_not_followed() -> None:
    with pytest.raises(Garbled, match="not an address of this network"):
        parse_location("http://8.8.8.8:5000/x", IPv4Address("8.8.8.8"))


@pytest.mark.parametrize(
    ("control", "base", "path"),
    [
        ("/ctl/IPConn", "", "http://192.168.1.1:5000/ctl/IPConn"),
        ("IPConn", "", "http://192.168.1.1:5000/desc/IPConn"),
        ("//ctl/IPConn", "", "http://192.168.1.1:5000/ctl/IPConn"),
        ("//8.8.8.8/ctl", "", "http://192.168.1.1:5000/8.8.8.8/ctl"),
        ("/ctl", "http://192.168.1.1:8080/", "http://192.168.1.1:8080/ctl"),
        ("ctl?x=1", "http://192.168.1.1", "http://192.168.1.1:80/ctl?x=1"),
        ("http://192.168.1.1:49152/ctl", "", "http://192.168.1.1:49152/ctl"),
    ],
)
def test_a_control_url_is_resolved_on_its_host(control: str, base: str, path: str) -> None:
    assert str(resolve_control(control, base, HERE)) == path


@pytest.mark.parametrize("named", ["192.168.1.254", "router.lan", "Router.LAN", "[fd00::1]", "(null)"])
def test_a_control_url_at_the_host_that_location_names_leads_to_the_sender_as_well(named: str) -> None:
    here = parse_location(f"http://{named}:5000/desc.xml", ROUTER)
    assert resolve_control(f"http://{named}:49152/ctl", "", here) == Location(ROUTER, 49152, "/ctl")
    with pytest.raises(Garbled, match="another host"):
        resolve_control("http://192.168.1.2:49152/ctl", "", here)


@pytest.mark.parametrize(
    ("control", "base"),
    [
        ("", ""),
        ("http://127.0.0.1:6001/evil", ""),
        ("http://192.168.1.2/ctl", ""),
        ("http://192.168.1.2/ctl", "http://192.168.1.2/"),
        ("/ctl", "https://192.168.1.1/"),
        ("/ctl", "http://["),
        ("javascript:alert(1)", ""),
        ("/ctl\r\nX: y", ""),
        ("http://[", ""),
    ],
)
def test_a_control_url_that_leads_elsewhere_is_refused(control: str, base: str) -> None:
    with pytest.raises(Garbled):
        resolve_control(control, base, HERE)
