"""What miniupnpc is spared: each test is a line of the list of what it gets wrong by itself."""

import logging
import socket
import time
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, NotAuthorized, Refused, SpecError
from portmap.model import Protocol
from portmap_upnp.control import soap_client
from portmap_upnp.control.wan_connection import PortMappingEntry, WanConnection
from portmap_upnp.discovery.description import Service
from portmap_upnp.location import Location

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted, WebServers

WANIP = "urn:schemas-upnp-org:service:WANIPConnection:1"
HERE = Location(IPv4Address("127.0.0.1"), 9, "/")


def talk(control: Location, patience: float = 9) -> WanConnection:
    return WanConnection(Service(WANIP, control), time.monotonic() + patience)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("404 Not Found", b"<html/>", NoGateway),
        ("401 Unauthorized", b"", NotAuthorized),
        ("500 Error", b"", Garbled),
        ("200 OK", b"<html>Login</html>", Garbled),
        ("200 OK", b"garbage", Garbled),
        ("200 OK", b"<element attribute=", Garbled),
        ("200 OK", b"<!DOCTYPE x [<!ENTITY y 'z'>]><x>&y;</x>", Garbled),
        ("200 OK", b" " * (soap_client.REPLY_LIMIT + 1), Garbled),
    ],
)
def test_what_is_no_yes_is_never_taken_for_one(
    serve: "WebServers", status: str, body: bytes, error: type[NATError]
) -> None:
    with talk(serve.body(body, status)) as igd, pytest.raises(error):
        igd.delete(Protocol.TCP, 30303)


def test_an_error_code_that_miniupnpc_does_not_know_is_kept(scripted: "Scripted") -> None:
    igd, _ = scripted({"DeletePortMapping": [899]})
    with igd, pytest.raises(Refused) as caught:
        igd.delete(Protocol.TCP, 30303)
    assert caught.value.code == 899


def test_a_missing_entry_is_told_from_a_gateway_that_cannot_be_asked(scripted: "Scripted") -> None:
    igd, _ = scripted({"GetSpecificPortMappingEntry": [714, 401]})
    with igd:
        assert igd.entry(Protocol.TCP, 30303) is None
        with pytest.raises(Refused):
            igd.entry(Protocol.TCP, 30303)


def test_an_entry_is_read(scripted: "Scripted") -> None:
    entry = {"NewInternalClient": "10.0.0.7", "NewInternalPort": "5", "NewEnabled": "1", "NewLeaseDuration": "77"}
    igd, _ = scripted(
        {"GetSpecificPortMappingEntry": [entry | {"NewPortMappingDescription": "caf\u00e9 &amp; \u2603"}]}
    )
    with igd:
        assert igd.entry(Protocol.UDP, 30303) == PortMappingEntry("10.0.0.7", 5, "caf? ? ?", 77)


def test_an_entry_without_sense_is_an_error(scripted: "Scripted") -> None:
    igd, _ = scripted({"GetSpecificPortMappingEntry": [{}]})
    with igd, pytest.raises(Garbled):
        igd.entry(Protocol.TCP, 30303)


def test_a_dripping_reply_ends_with_the_patience_of_the_talk(serve: "WebServers") -> None:
    began = time.monotonic()
    with talk(serve.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 90, every=0.01), patience=0.2) as igd:
        with pytest.raises(GatewayTimeout):
            igd.status()
        with pytest.raises(GatewayTimeout, match="no time left"):
            igd.external_ip()
    assert time.monotonic() - began < 0.5


def test_a_gateway_that_has_gone_is_known_at_once() -> None:
    began = time.monotonic()
    with talk(HERE) as igd, pytest.raises(NoGateway, match="refused"):
        igd.external_ip()
    assert time.monotonic() - began < 0.5


def test_miniupnpc_speaks_to_the_gateway_in_its_own_words(scripted: "Scripted") -> None:
    igd, gateway = scripted({"GetExternalIPAddress": [{"NewExternalIPAddress": "203.0.113.7"}]})
    with igd:
        assert igd.external_ip() == "203.0.113.7"
    assert f'\r\nSOAPAction: "{WANIP}#GetExternalIPAddress"\r\n'.encode() in gateway.requests[0]
    assert b"MiniUPnPc" in gateway.requests[0]


def test_the_wire_is_seen_at_debug(scripted: "Scripted", caplog: pytest.LogCaptureFixture) -> None:
    igd, _ = scripted(
        {"GetStatusInfo": [{"NewConnectionStatus": "Up", "NewUptime": "1", "NewLastConnectionError": ""}]}
    )
    with caplog.at_level(logging.DEBUG, "portmap.upnp"), igd:
        igd.status()
    assert [record.getMessage()[:2] for record in caplog.records] == ["->", "<-"]


def test_a_visitor_who_is_not_miniupnpc_gets_nothing(scripted: "Scripted") -> None:
    igd, gateway = scripted({})
    with igd:
        port = int(igd._gatekeeper.description_url.split(":")[2].partition("/")[0])
        for request in (b"GET / HTTP/1.1\r\n\r\n", b"POST /control HTTP/1.1\r\n\r\n", b"\xff\xfe\r\n", b""):
            with socket.create_connection(("127.0.0.1", port)) as visitor:
                visitor.sendall(request)
                visitor.shutdown(socket.SHUT_WR)
                assert visitor.recv(100) == b""
    assert gateway.heard == []


def test_nothing_is_left_open_after_a_talk(scripted: "Scripted") -> None:
    igd, _ = scripted({})
    with igd:
        door = igd._gatekeeper._door
    assert door.fileno() == -1


@pytest.mark.parametrize("port", [0, -1, 65536, 70000])
def test_a_port_that_cannot_be_never_reaches_c_code(scripted: "Scripted", port: int) -> None:
    igd, gateway = scripted({})
    with igd, pytest.raises(SpecError, match="out of range"):
        igd.add(Protocol.TCP, port, HERE.host, 30303, "portmap:x", 600)
    assert gateway.heard == []


@pytest.mark.parametrize(("description", "lease"), [("x", -1), ("x", 604801), ("", 1), ("<x>", 1), ("x" * 33, 1)])
def test_a_lease_or_description_that_cannot_be_never_reaches_c_code(
    scripted: "Scripted", description: str, lease: int
) -> None:
    igd, _ = scripted({})
    with igd, pytest.raises(SpecError):
        igd.add(Protocol.TCP, 30303, HERE.host, 30303, description, lease)
