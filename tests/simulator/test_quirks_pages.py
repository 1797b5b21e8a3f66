"""The quirks of descriptions and other pages, as a UPnP client meets them."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

from portmap.testing import Heard, Router

Start: TypeAlias = Callable[..., Router]
Behind: TypeAlias = Callable[..., Any]
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"


def controls(document: str) -> list[str]:
    return re.findall(r"<controlURL>(.*?)</controlURL>", document)


def test_evil_control_url_leads_into_a_trap(lan: Behind) -> None:
    host = lan(evil_control_url=True)
    url = controls(host.description())[0]
    assert host.router.address not in url
    host.visit(url)
    assert host.router.heard.trap == 1


def test_redirect_leads_into_a_trap(lan: Behind) -> None:
    host = lan(redirect=True)
    status, headers, _ = host.fetch("GET", "/desc.xml")
    assert status == 307
    host.visit(headers["Location"])
    assert host.router.heard == Heard(description=1, trap=1)


def test_xml_bomb_multiplies_ten_to_the_ninth(lan: Behind) -> None:
    text = lan(xml_bomb=True).description()
    assert re.search(r"<root [^>]*>&a9;", text)
    assert text.count("<!ENTITY") == 10
    assert len(text) < 10_000


def test_xml_bomb_is_in_answers_too(lan: Behind) -> None:
    host = lan(xml_bomb=True)
    text = host.fetch("POST", "/ctl/IPConn", "", SOAPAction='"x#y"')[2]
    assert "<!DOCTYPE root [" in text
    assert "<s:Envelope" in text


def test_huge_body_is_well_formed_and_huge(lan: Behind) -> None:
    text = lan(huge_body=1 << 20).description()
    assert len(text) > 1 << 20
    assert controls("".join(ET.tostring(ET.fromstring(text), "unicode").split("ns0:"))) != []  # noqa: S314  # our own


def test_junk_after_xml_is_after_the_end(lan: Behind) -> None:
    assert lan(junk_after_xml=True).description().rpartition("</root>")[2].endswith("\0\0\r\n<junk")


def test_no_namespaces_leaves_the_names_bare(lan: Behind) -> None:
    assert ET.fromstring(lan(no_namespaces=True).description()).tag == "root"  # noqa: S314  # our own


def test_odd_content_type_is_html(lan: Behind) -> None:
    assert lan(odd_content_type=True).fetch("GET", "/desc.xml")[1]["Content-Type"] == "text/html"


def test_legacy_service_types_are_so_everywhere(lan: Behind) -> None:
    host, legacy = lan(legacy_service_types=True), SERVICE.replace("schemas-upnp", "dslforum")
    assert f"<serviceType>{legacy}</serviceType>" in host.description()
    assert (host.search(SERVICE), len(host.search(legacy))) == ([], 1)
    assert host.call("GetExternalIPAddress", service=legacy)["NewExternalIPAddress"] == "1.2.3.4"
    assert host.call("GetExternalIPAddress")["error"] == "401"


def test_dead_line_first_is_disconnected(lan: Behind) -> None:
    host = lan(dead_line_first=True)
    dead, alive = [url for url in controls(host.description()) if url.endswith("IPConn")]
    assert host.call("GetStatusInfo", dead)["NewConnectionStatus"] == "Disconnected"
    assert host.call("GetStatusInfo", alive)["NewConnectionStatus"] == "Connected"


def test_url_base_has_control_urls_relative_to_it(lan: Behind) -> None:
    host = lan(url_base=True)
    text = host.description()
    assert f"<URLBase>http://{host.router.address}:{host.router.http_port}/</URLBase>" in text
    assert "ctl/IPConn" in controls(text)


def test_double_slash_begins_control_urls(lan: Behind) -> None:
    assert "//ctl/IPConn" in controls(lan(double_slash=True).description())


def test_absolute_control_url_is_on_the_same_host(lan: Behind) -> None:
    host = lan(absolute_control_url=True)
    url = host.router.description_url.replace("/desc.xml", "/ctl/IPConn")
    assert url in controls(host.description())


def test_new_control_port_on_reboot_moves(lan: Behind) -> None:
    host = lan(new_control_port_on_reboot=True)
    before = host.router.http_port
    host.router.reboot()
    assert host.router.http_port != before
    assert host.router.description_url in host.search()[0]
    assert host.description()
