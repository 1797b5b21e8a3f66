"""The quirks of searches, as a UPnP client meets them."""

import re
import socket
from collections.abc import Callable
from typing import Any, TypeAlias

from portmap.simulator.upnp.ssdp import GROUP, PORT
from portmap.testing import Heard, Router

Start: TypeAlias = Callable[..., Router]
Behind: TypeAlias = Callable[..., Any]
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"


def location(answer: str) -> str:
    found = re.search(r"(?im)^location: *(.*?)\r$", answer)
    assert found is not None
    return found[1]


def test_multicast_only_is_deaf_to_unicast(lan: Behind, sock: socket.socket) -> None:
    host = lan(ssdp_port=PORT, multicast_only=True)
    assert host.search() == []
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host.router.address))
    found = [location(answer) for answer in host.search(where=GROUP)]  # another router may run on this host
    assert host.router.description_url in found


def test_needs_mx_is_deaf_without(lan: Behind) -> None:
    host = lan(needs_mx=True)
    assert [len(host.search(mx=mx)) for mx in ("", "MX: 0\r\n", "MX: 9\r\n", "MX: 2\r\n")] == [0, 0, 0, 1]


def test_first_match_only_tells_everything_searcher_of_the_root_device(lan: Behind) -> None:
    (answer,) = lan(first_match_only=True).search("ssdp:all")
    assert "ST: upnp:rootdevice\r\n" in answer


def test_igd_2_only_does_not_answer_for_version_1(lan: Behind) -> None:
    host = lan(igd=2, igd_2_only=True)
    device = "urn:schemas-upnp-org:device:InternetGatewayDevice"
    assert (host.search(f"{device}:1"), len(host.search(f"{device}:2"))) == ([], 1)


def test_other_search_port_answers_from_the_same_address(lan: Behind) -> None:
    host = lan(other_search_port=True)
    assert host.search()
    assert host.sender[0] == host.router.address
    assert host.sender[1] != host.router.ssdp_port


def test_lowercase_headers_are_so_in_searches_and_pages(lan: Behind) -> None:
    host = lan(lowercase_headers=True)
    assert f"\r\nlocation:{host.router.description_url}\r\n" in host.search()[0]
    assert "content-length" in host.fetch("GET", "/desc.xml")[1]


def test_bad_uuid_is_none(lan: Behind) -> None:
    host = lan(bad_uuid=True)
    assert "USN: uuid:not-a-uuid-" in host.search()[0]
    assert "<UDN>uuid:not-a-uuid-" in host.description()


def test_search_flood_comes_first(lan: Behind) -> None:
    answers = lan(search_flood=20).search()
    assert len(answers) == 21
    assert len({location(answer) for answer in answers}) == 21
    assert location(answers[-1]).endswith("/desc.xml")


def test_printer_answers_first_is_no_gateway(lan: Behind) -> None:
    host = lan(printer_answers_first=True)
    first, second = (location(answer) for answer in host.search(SERVICE))
    assert "Printer" in host.fetch("GET", first.partition(str(host.router.http_port))[2])[2]
    assert second == host.router.description_url


def test_two_gateways_of_which_the_first_is_dead(lan: Behind) -> None:
    host = lan(two_gateways=True)
    first, second = (location(answer) for answer in host.search())
    assert first == second.replace("/desc.xml", "/second/desc.xml")
    assert "<controlURL>/second/ctl/IPConn</controlURL>" in host.fetch("GET", "/second/desc.xml")[2]
    assert host.call("GetStatusInfo", "/second/ctl/IPConn")["NewConnectionStatus"] == "Disconnected"
    assert host.call("GetStatusInfo")["NewConnectionStatus"] == "Connected"
    assert host.router.heard == Heard(search=1, second=2, status=1)


def test_evil_location_leads_into_a_trap(lan: Behind) -> None:
    host = lan(evil_location=True)
    url = location(host.search()[0])
    assert host.router.address not in url
    host.visit(url)
    assert host.router.heard == Heard(search=1, trap=1)


def test_location_host_is_the_host_that_is_given(lan: Behind) -> None:
    host = lan(location_host="[::1]")
    assert location(host.search()[0]) == f"http://[::1]:{host.router.http_port}/desc.xml"


def test_strict_igd_1_does_not_answer_for_version_2(lan: Behind) -> None:
    target = SERVICE.replace(":1", ":2")
    assert len(lan().search(target)) == 1
    assert lan(strict_igd_1=True).search(target) == []


def test_null_location_has_no_host(lan: Behind) -> None:
    assert location(lan(null_location=True).search()[0]).startswith("http://(null):")
