"""The quirks of descriptions and other pages, as a UPnP client meets them."""

import re
from collections.abc import Callable
from typing import Any, TypeAlias
from xml.etree import ElementTree as ET

import pytest

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


def test_first_lines_down_is_disconnected(lan: Behind) -> None:
    host = lan(first_lines=("down",))
    dead, alive = [url for url in controls(host.description()) if url.endswith("IPConn")]
    assert host.call("GetStatusInfo", dead)["NewConnectionStatus"] == "Disconnected"
    assert host.call("GetStatusInfo", alive)["NewConnectionStatus"] == "Connected"


def test_first_lines_come_in_order_each_with_its_fault(lan: Behind) -> None:
    lines = ("private", "ppp:cgnat", "zero", "empty", "nonsense", "up")
    host = lan(first_lines=lines)
    assert len(controls(host.description())) == len(lines) + 2  # the router's own, and the common interface
    told = [host.call("GetExternalIPAddress", f"/line/{number}/ctl/IPConn") for number in range(len(lines))]
    addresses = ["192.168.100.2", "100.64.1.2", "0.0.0.0", "", "nonsense", "1.2.3.4"]  # noqa: S104  # not bound to
    assert [it["NewExternalIPAddress"] for it in told] == addresses
    assert host.description().count("<serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1<") == 1


def test_first_lines_up_is_the_router_itself(lan: Behind) -> None:
    host = lan(first_lines=("up",))
    assert host.call("AddPortMapping", "/line/0/ctl/IPConn", **host.MAPPING) == {}
    assert len(host.router.entries) == 1


def test_first_lines_denied_is_401_to_everything(lan: Behind) -> None:
    assert lan(first_lines=("denied",)).post("GetStatusInfo", "/line/0/ctl/IPConn") == (401, "")


def test_first_lines_no_url_has_none(lan: Behind) -> None:
    assert "" in controls(lan(first_lines=("no_url",)).description())


def test_first_lines_foreign_url_leads_into_a_trap(lan: Behind) -> None:
    host = lan(first_lines=("foreign_url",))
    url = next(url for url in controls(host.description()) if url.startswith("http:"))
    host.visit(url)
    assert host.router.heard.trap == 1


@pytest.mark.parametrize("kind", ["WANPPPConnection:2", "WANIPConnection:3", "wanipconnection:1", "WANIPConnection"])
def test_wan_service_is_the_only_type_that_is_known(lan: Behind, kind: str) -> None:
    host, service = lan(wan_service=kind), f"urn:schemas-upnp-org:service:{kind}"
    assert f"<serviceType>{service}</serviceType>" in host.description()
    assert host.call("AddPortMapping", service=service, **host.MAPPING) == {}
    assert host.call("AddPortMapping", service="urn:schemas-upnp-org:service:WANIPConnection:2")["error"] == "401"


def test_odd_types_are_in_lower_case_and_without_a_version(lan: Behind) -> None:
    text = lan(odd_types=True).description()
    assert "<deviceType>urn:schemas-upnp-org:device:internetgatewaydevice</deviceType>" in text
    assert "<serviceType>urn:schemas-upnp-org:service:wanipconnection</serviceType>" in text


@pytest.mark.parametrize("how", ["latin_1", "ampersand", "control", "encoding", "less_than", "unclosed", "attributes"])
def test_odd_xml_is_no_good_xml_on_any_page(lan: Behind, how: str) -> None:
    host = lan(odd_xml=how)
    pages = host.description(), host.post("GetStatusInfo")[1], host.post("Unknown")[1]
    for page in pages:
        with pytest.raises((ET.ParseError, ValueError, LookupError)):
            ET.fromstring(page.encode("latin-1"))  # noqa: S314  # our own


def test_odd_xml_doctype_is_an_empty_one(lan: Behind) -> None:
    assert lan(odd_xml="doctype").description().splitlines()[1] == "<!DOCTYPE root>"


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


def test_location_host_is_named_in_absolute_control_urls_and_the_base_too(lan: Behind) -> None:
    host = lan(location_host="router.lan", absolute_control_url=True)
    assert f"http://router.lan:{host.router.http_port}/ctl/IPConn" in controls(host.description())
    host = lan(location_host="router.lan", url_base=True)
    assert f"<URLBase>http://router.lan:{host.router.http_port}/</URLBase>" in host.description()


def test_new_control_port_on_reboot_moves(lan: Behind) -> None:
    host = lan(new_control_port_on_reboot=True)
    before = host.router.http_port
    host.router.reboot()
    assert host.router.http_port != before
    assert host.router.description_url in host.search()[0]
    assert host.description()
