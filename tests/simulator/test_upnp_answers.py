"""UPnP, text to text: search, description, the SOAP envelope, HTTP."""

from http import HTTPStatus
from xml.etree import ElementTree as ET

import pytest

from portmap.simulator.net.http import UnreadableRequest, WebRequest
from portmap.simulator.net.http import read as read_http
from portmap.simulator.upnp import ssdp
from portmap.simulator.upnp.description import Device, root
from portmap.simulator.upnp.soap import BareFault, Fault, SoapCall, answer, read, refusal

DEVICE = Device("127.0.0.1", 5000)


def search(target: str, man: str = '"ssdp:discover"') -> bytes:
    return f"M-SEARCH * HTTP/1.1\r\nHost: x\r\nMAN: {man}\r\nMX: 1\r\nST: {target}\r\n\r\n".encode()


def found(target: str, device: Device = DEVICE) -> list[str]:
    understood = ssdp.read(search(target))
    return [] if understood is None else [text.decode() for text in ssdp.answers(understood, device)]


# Search.


@pytest.mark.parametrize(
    "target",
    [
        "upnp:rootdevice",
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:device:WANConnectionDevice:1",
        "urn:schemas-upnp-org:service:WANIPConnection:1",
    ],
)
def test_a_search_is_answered_with_the_location(target: str) -> None:
    (text,) = found(target)
    assert f"\r\nST: {target}\r\n" in text
    assert "\r\nLOCATION: http://127.0.0.1:5000/desc.xml\r\n" in text


def test_a_search_for_everything_gets_one_answer_each() -> None:
    assert len(found("ssdp:all")) == len(ssdp.targets(DEVICE)) == 8


def test_a_search_for_something_else_gets_none() -> None:
    assert found("urn:schemas-upnp-org:device:MediaServer:1") == []


@pytest.mark.parametrize("target", ["device:InternetGatewayDevice:2", "service:WANIPConnection:2"])
def test_version_one_answers_for_version_two_unless_it_is_strict(target: str) -> None:
    target = f"urn:schemas-upnp-org:{target}"
    assert len(found(target)) == 1
    assert found(target, Device("127.0.0.1", 5000, newest=1)) == []


def test_version_one_announces_version_one_only() -> None:
    assert not [target for target in ssdp.targets(DEVICE) if target.endswith(":2")]


@pytest.mark.parametrize("version", [1, 2])
def test_version_two_answers_for_both(version: int) -> None:
    device = Device("127.0.0.1", 5000, igd=2)
    assert found(f"urn:schemas-upnp-org:device:InternetGatewayDevice:{version}", device)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"NOTIFY * HTTP/1.1\r\nNT: x\r\n\r\n",
        search(""),
        b"\xff\xfe\x00" * 100,
    ],
    ids=["empty", "notify", "no-target", "noise"],
)
def test_what_is_no_search_is_not_answered(data: bytes) -> None:
    assert ssdp.read(data) is None


@pytest.mark.parametrize("man", ["ssdp:discover", "", '"ssdp:discover"'])
def test_the_man_header_is_not_looked_at(man: str) -> None:
    assert ssdp.read(search("ssdp:all", man)) == ssdp.Search("ssdp:all", "1")


# Description.


def described(device: Device, tag: str) -> list[ET.Element]:
    return ET.fromstring(root(device)).findall(f".//{{*}}{tag}")  # noqa: S314  # our own


@pytest.mark.parametrize("igd", [1, 2])
def test_the_description_leads_to_the_control_url(igd: int) -> None:
    services = described(Device("127.0.0.1", 5000, igd=igd), "service")
    urls = {service.findtext("{*}serviceType"): service.findtext("{*}controlURL") for service in services}
    assert urls[f"urn:schemas-upnp-org:service:WANIPConnection:{igd}"] == "/ctl/IPConn"


def test_the_description_nests_three_devices() -> None:
    names = [(kind.text or "").split(":")[3] for kind in described(DEVICE, "deviceType")]
    assert names == ["InternetGatewayDevice", "WANDevice", "WANConnectionDevice"]


# Control.


def control(body: str, action: str = '"urn:x:1#Add"') -> WebRequest:
    envelope = f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'
    return WebRequest("POST", "/", {"soapaction": action}, envelope.encode())


def test_a_call_has_its_arguments_by_name() -> None:
    request = control('<u:Add xmlns:u="urn:x:1"><A>1</A><B>x &amp; y</B><C/></u:Add>')
    assert read(request) == SoapCall("urn:x:1", "Add", {"A": "1", "B": "x & y", "C": ""})


@pytest.mark.parametrize("header", ["", '"urn:x:1"', '"', '""', "#Add", "urn:x:1#", '"urn:x:1#Add'])
def test_an_action_that_is_not_whole_is_a_bad_request(header: str) -> None:
    with pytest.raises(BareFault, match="Bad Request"):
        read(control("", header))


@pytest.mark.parametrize(
    "body",
    [b"", b"<a", b"\xff\xff", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', b"<a>&b;</a>"],
    ids=["empty", "cut", "no-utf-8", "doctype", "entity"],
)
def test_what_is_no_plain_xml_is_invalid(body: bytes) -> None:
    with pytest.raises(Fault, match="Invalid Args"):
        read(WebRequest("POST", "/", {"soapaction": '"urn:x:1#Add"'}, body))


def test_results_are_escaped() -> None:
    text = answer(SoapCall("urn:x:1", "Get"), {"Name": "<&>"}).body.decode()
    assert '<u:GetResponse xmlns:u="urn:x:1"><Name>&lt;&amp;&gt;</Name></u:GetResponse>' in text


def test_a_fault_is_http_500_with_code_and_text() -> None:
    response = refusal(Fault(718))
    assert response.status is HTTPStatus.INTERNAL_SERVER_ERROR
    assert b"<errorCode>718</errorCode><errorDescription>ConflictInMappingEntry<" in response.body


# HTTP.


def test_a_request_is_read_once_it_is_whole() -> None:
    data = b"POST /a HTTP/1.1\r\nContent-Length: 4\r\nHost: b\r\n\r\nbody"
    assert all(read_http(data[:end]) is None for end in range(len(data)))
    assert read_http(data) == WebRequest("POST", "/a", {"content-length": "4", "host": "b"}, b"body")


@pytest.mark.parametrize("trailer", [b"", b"Checksum: 1\r\n"])
def test_a_chunked_request_is_read_once_it_is_whole(trailer: bytes) -> None:
    head = b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    data = head + b"2;extension\r\nbo\r\n2\r\ndy\r\n0\r\n" + trailer + b"\r\n"
    assert all(read_http(data[:end]) is None for end in range(len(data)))
    assert read_http(data) == WebRequest("POST", "/a", {"transfer-encoding": "chunked"}, b"body")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 101, 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"GET /" + b"x" * 8192, 431),
    ],
)
def test_a_request_that_is_wrong_or_too_long_is_not_read_on(data: bytes, status: int) -> None:
    with pytest.raises(UnreadableRequest) as caught:
        read_http(data)
    assert caught.value.status == status
