import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address

import pytest

from portmap.errors import Garbled
from portmap_upnp.discovery.description import MAX_SERVICES, GatewayDevice, Service, parse_description
from portmap_upnp.location import Location
from portmap_upnp.xml_tree import MAX_DEPTH, MAX_ELEMENTS, parse

HERE = Location(IPv4Address("192.168.1.1"), 5000, "/root.xml")
URN = "urn:schemas-upnp-org:service:"
IP1, IP2, PPP = f"{URN}WANIPConnection:1", f"{URN}WANIPConnection:2", f"{URN}WANPPPConnection:1"
PRINTER = f"{URN}PrintBasic:1"


def service(kind: str, control: str) -> str:
    return f"<service><serviceType>{kind}</serviceType><controlURL>{control}</controlURL></service>"


def device(*services: str, base: str = "", before: str = "", igd: str = "1") -> bytes:
    kind = f"urn:schemas-upnp-org:device:InternetGatewayDevice:{igd}"
    inner = f"<device><deviceType>{kind}</deviceType><serviceList>{''.join(services)}</serviceList></device>"
    return f'<?xml version="1.0"?>{before}<root xmlns="urn:x">{base}{inner}</root>'.encode()


GOOD = device(service(IP1, "/ctl"))


def controls(document: bytes) -> list[str]:
    return [str(found.control) for found in parse_description(document, HERE).services]


def test_a_gateway_is_read() -> None:
    control = Location(HERE.host, 5000, "/ctl")
    assert parse_description(GOOD, HERE) == GatewayDevice(HERE, "1", (Service(IP1, control),))


@pytest.mark.parametrize(
    ("events", "found"),
    [("/evt", Location(HERE.host, 5000, "/evt")), ("http://192.168.1.9/evt", None), ("", None)],
)
def test_events_are_had_from_the_gateway_itself_or_not_at_all(events: str, found: Location | None) -> None:
    described = device(service(IP1, "/ctl").replace("</service>", f"<eventSubURL>{events}</eventSubURL></service>"))
    assert parse_description(described, HERE).services[0].events == found


def test_a_gateway_is_named_with_its_version() -> None:
    assert str(parse_description(device(service(IP2, "/ctl"), igd="2"), HERE)) == "UPnP 192.168.1.1 (IGD:2)"


@pytest.mark.parametrize("igd", ["", "x", "12345", "\u0661"])
def test_a_version_that_makes_no_sense_is_not_shown(igd: str) -> None:
    assert str(parse_description(device(service(IP2, "/ctl"), igd=igd), HERE)) == "UPnP 192.168.1.1"


def test_a_ppp_connection_will_do() -> None:
    assert controls(device(service(PPP, "/ppp"))) == ["http://192.168.1.1:5000/ppp"]


def test_two_connections_are_both_offered_ip_before_ppp() -> None:
    services = (service(PPP, "/ppp"), service(PRINTER, "/print"), service(IP1, "/a"), service(IP1, "/b"))
    assert [found.rpartition("/")[2] for found in controls(device(*services))] == ["a", "b", "ppp"]


def test_url_base_is_what_a_relative_control_url_is_relative_to() -> None:
    base = "<URLBase>http://192.168.1.1:8080/</URLBase>"
    assert controls(device(service(IP1, "ctl"), base=base)) == ["http://192.168.1.1:8080/ctl"]


def test_prefixes_and_missing_namespaces_are_forgiven() -> None:
    inner = f"<y:serviceType> {IP1}\n</y:serviceType><z:controlURL>/ctl</z:controlURL>"
    assert controls(f"<r:root><x:service>{inner}</x:service></r:root>".encode()) == ["http://192.168.1.1:5000/ctl"]


@pytest.mark.parametrize(
    "document",
    [
        GOOD + b"\x00",
        GOOD + b"\x00\x00\r\n",
        GOOD + b"junk",
        GOOD + b"<more",
        b"\r\n " + GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"),
        GOOD.decode().replace('"1.0"', '"1.0" encoding="iso-8859-1"').encode(),
        GOOD.replace(b"<device>", b"<device><modelNumber>\xf0_\xf0</modelNumber>"),  # ARRIS TG2492LG
        GOOD.replace(b"<device>", b"<device><modelName>Tom & Jerry &copy; &#0; &#xFFFF;</modelName>"),
        GOOD.replace(b"<device>", b"<device><modelName>\x01\x1b[0m\x00</modelName>"),
        GOOD.replace(b'"1.0"', b'"1.0" encoding="utf-16"'),
        GOOD.replace(b'"1.0"', b'"1.0" encoding="klingon"'),
        GOOD.replace(b'"1.0"', b'"1.0" encoding="unicode_escape"'),  # the codec warns on stderr
        GOOD.replace(b"<root", b"<!DOCTYPE root><root"),
        GOOD.replace(b"<root", b"<!DOCTYPE root [ ]><root"),
        GOOD.replace(b"<device>", b"<device><modelName>A < B, I <3 U</modelName>"),
        GOOD.replace(b"<device>", b"<device><modelName>A"),
        GOOD.replace(b"<device>", b"<device><modelName>A</modelname>"),
        GOOD.replace(b"<device>", b"<device></modelURL>"),
        GOOD.replace(b"<device>", b"<device><modelName>A<modelURL></modelName>B</modelURL>"),
        GOOD.replace(b"<device>", b"<device><3com>A</3com>"),
        GOOD.replace(b'"urn:x"', b"urn:x"),
        GOOD.replace(b'"urn:x"', b'"urn:x"xmlns:y="urn:y"'),
        GOOD.replace(b'"urn:x"', b'"urn:x" xmlns="urn:y"'),
        b"<!-- made by hand -->" + GOOD,
        b"junk " + GOOD,
        GOOD.replace(b"?>", b">"),
        GOOD.replace(b"<device>", b"<device><!-- a -- <service> -- b -->"),
        GOOD.replace(b"<device>", b"<device><br>").replace(b"/ctl", b"<![CDATA[/ctl]]>"),
    ],
    ids=[
        "NUL",
        "NULs",
        "junk after",
        "half a tag after",
        "space before",
        "BOM",
        "UTF-16",
        "latin-1",
        "bytes that are no UTF-8",
        "bare ampersands",
        "control characters",
        "an encoding that is not used",
        "an encoding that does not exist",
        "an encoding of Python's own",
        "an empty DOCTYPE",
        "a DOCTYPE with an empty subset",
        "bare less-than signs",
        "a field without an end",
        "a field that ends in another letter case",
        "an end without a beginning",
        "fields across each other",
        "a name that is none",
        "an attribute without quotes",
        "attributes without a blank between them",
        "an attribute twice",
        "a comment before the declaration",
        "junk before",
        "a declaration without its last question mark",
        "hyphens in a comment",
        "CDATA beside a tag without an end",
    ],
)
def test_what_routers_add_by_mistake_is_forgiven(document: bytes) -> None:
    assert controls(document) == ["http://192.168.1.1:5000/ctl"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "empty|broken"),
        (b"\x00\x00", "empty|broken"),
        (b"<element attribute=", "broken"),
        (b"<a:", "broken"),
        (b"<html><p>Login</html>", "no gateway"),
        (GOOD[:-9], "broken"),
        (b"\xff" * 100, "broken"),
        (b"<html><p>Login</p></html>", "no gateway"),
        (device(service(PRINTER, "/print")), "no gateway"),
        (device(service(f"{URN}WANCommonInterfaceConfig:1", "/ctl")), "no gateway"),
        (device(service(IP1, "http://127.0.0.1:22/")), "another host"),
        (device(service(IP1, "http://192.168.1.254/ctl")), "another host"),
        (device(service(IP1, "")), "empty control URL"),
    ],
)
def test_a_description_that_is_broken_or_foreign_is_refused(document: bytes, why: str) -> None:
    with pytest.raises(Garbled, match=why):
        parse_description(document, HERE)


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE root SYSTEM "http://127.0.0.1/evil.dtd">',
        '<!DOCTYPE root [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
        '<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1/"> %p;]>',
    ],
)
def test_a_dtd_is_refused_before_it_can_do_anything(doctype: str) -> None:
    with pytest.raises(Garbled, match="DTD"):
        parse_description(device(service(IP1, "/ctl"), before=doctype), HERE)


@pytest.mark.parametrize(
    "document",
    [b"<a>" * 100_000, b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1), b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>"],
    ids=["endless", "too deep", "too many"],
)
def test_xml_without_measure_is_refused(document: bytes) -> None:
    with pytest.raises(Garbled, match="nests over"):
        parse(document)


@pytest.mark.parametrize(
    "service_type",
    [
        f"{URN}WANPPPConnection:2",
        f"{URN}WANIPConnection:99",
        f"{URN}WANIPConnection",
        f"{URN}WANIPConnection:",
        f"{URN}wanipconnection:1",
        "URN:SCHEMAS-UPNP-ORG:SERVICE:WANIPCONNECTION:1",
        "urn:dslforum-org:service:WANPPPConnection:2",
        "urn:schemas-wifialliance-org:service:WANIPConnection:1.0",
    ],
)
def test_a_service_type_is_understood_whatever_its_version_and_case_and_kept_as_written(service_type: str) -> None:
    found = parse_description(device(service(service_type, "/ctl")), HERE).services
    assert found == (Service(service_type, Location(HERE.host, 5000, "/ctl")),)


@pytest.mark.parametrize("bad", ["", "http://192.168.1.254/ctl", "http://[", "x" * 1025, "javascript:1"])
def test_a_service_with_a_bad_control_url_is_dropped_and_the_gateway_stays(bad: str) -> None:
    assert controls(device(service(IP1, bad), service(PPP, "/ppp"))) == ["http://192.168.1.1:5000/ppp"]


@pytest.mark.parametrize("base", ["http://10.0.0.1/", "http://[", "nonsense", "http://router.lan/"])
def test_a_base_that_names_another_host_is_ignored(base: str) -> None:
    document = device(service(IP1, "/ctl"), base=f"<URLBase>{base}</URLBase>")
    assert controls(document) == ["http://192.168.1.1:5000/ctl"]


def cpu_seconds(work: Callable[[], object]) -> float:
    """The least of three: the machine may be busy with something else."""

    def once() -> float:
        began = time.thread_time()
        with suppress(Garbled):
            work()
        return time.thread_time() - began

    return min(once() for _ in range(3))


@pytest.mark.parametrize(
    "document",
    [
        b"<a>\xf0\x9f\x98\x80" + (b"x" * 27 + b"<b/>") * 8000 + b"</a>",
        b"<a>" * (MAX_DEPTH - 1) + b"<service/>" * 8000 + b"</a>" * (MAX_DEPTH - 1),
        device(*[service(IP1, f"/{number}") for number in range(2000)]),
        device(*[service(IP1, "/x")] * 1000, base=f"<URLBase>http://192.168.1.1/{'a/' * 30_000}</URLBase>"),
        b"<a b=c>" + b"<" * 65_000,
        b"<a b=c>" + b"<!--" * 16_000,
        b"<a b=c>" + b"<x>" * 30 + b"</y>" * 10_000,
        b"<a b=c><" + b"a" * 65_000,
    ],
    ids=[
        "text in pieces",
        "deep and wide",
        "many services",
        "many services on a long URLBase",
        "less-than signs",
        "comments without an end",
        "ends without a beginning",
        "a tag without an end",
    ],
)
def test_a_description_made_to_keep_us_busy_fails_to(document: bytes) -> None:
    assert cpu_seconds(lambda: parse_description(document, HERE)) < 0.05


def test_no_more_services_are_offered_than_can_be_tried() -> None:
    services = [service(PPP, "/ppp"), *[service(IP1, f"/{number}") for number in range(50)]]
    assert controls(device(*services)) == [f"http://192.168.1.1:5000/{number}" for number in range(MAX_SERVICES)]
