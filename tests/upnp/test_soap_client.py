"""SoapClient and WanConnection: what is sent, what counts as an answer, and what it costs."""

import json
import logging
import re
import time
from collections.abc import Callable
from contextlib import closing
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest
from tests.stopwatch import Stopwatch
from tests.upnp import miniupnpc_recording
from tests.upnp.canned import http
from tests.upnp.miniupnpc_recording import RECORDING, SERVICE, RecordingGateway

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, NotAuthorized, Refused, SpecError
from portmap.model import Protocol
from portmap_upnp.control import soap_client
from portmap_upnp.control.soap_client import CallPacing, SoapClient
from portmap_upnp.control.wan_connection import PortMappingEntry, WanConnection
from portmap_upnp.location import Location

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted, WebServers

HERE = Location(IPv4Address("127.0.0.1"), 9, "/")
CLIENT = IPv4Address("192.168.1.5")
OUR_CALLS: dict[str, Callable[[WanConnection], object]] = {
    "GetStatusInfo": lambda wan: wan.status(),
    "GetExternalIPAddress": lambda wan: wan.external_ip(),
    "AddPortMapping": lambda wan: wan.add(Protocol.TCP, 30303, CLIENT, 30304, "portmap:c0ffee:node", 600),
    "GetSpecificPortMappingEntry": lambda wan: wan.entry(Protocol.TCP, 30303),
    "GetGenericPortMappingEntry": lambda wan: wan.table_row(7),
    "DeletePortMapping": lambda wan: wan.delete(Protocol.TCP, 30303),
}


def connection(control: Location, timeout: float = 9) -> WanConnection:
    return WanConnection(SoapClient(SERVICE, control, time.monotonic() + timeout))


def normalised(request: str) -> str:
    """The request without what differs by nature: the port of the gateway, and the client's name."""
    request = re.sub(r"(?m)^(Host: 127\.0\.0\.1):\d+", r"\1", request)
    return re.sub(r"(?m)^User-Agent: .*UPnP/1\.1.*?(?=\r)", "User-Agent: UPnP/1.1", request)


@pytest.mark.parametrize("action", OUR_CALLS)
def test_each_request_is_byte_for_byte_what_miniupnpc_sends_and_one_packet(action: str) -> None:
    recorded = json.loads(RECORDING.read_text(encoding="ascii"))[action]
    with closing(RecordingGateway()) as gateway:
        OUR_CALLS[action](connection(Location(HERE.host, gateway.port, "/ctl/IPConn")))
    assert normalised(gateway.requests[0].decode()) == normalised(recorded)
    assert gateway.packets == [1]


def test_the_recording_is_what_the_installed_miniupnpc_sends() -> None:
    library: Any = pytest.importorskip("miniupnpc", reason="miniupnpc has no wheel for this Python")
    recorded = json.loads(RECORDING.read_text(encoding="ascii"))
    sent = miniupnpc_recording.record(library)
    assert {action: normalised(text) for action, text in sent.items()} == {
        action: normalised(text) for action, text in recorded.items()
    }


def test_the_user_agent_is_our_own(scripted: "Scripted") -> None:
    wan, gateway = scripted({"GetExternalIPAddress": [{"NewExternalIPAddress": "203.0.113.7"}]})
    assert wan.external_ip() == "203.0.113.7"
    assert re.search(rb"\r\nUser-Agent: portmap/\S+ UPnP/1\.1\r\n", gateway.requests[0])


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
def test_a_reply_that_is_no_success_is_never_taken_for_one(
    serve: "WebServers", status: str, body: bytes, error: type[NATError]
) -> None:
    wan = connection(serve.body(body, status))
    with pytest.raises(error):
        wan.delete(Protocol.TCP, 30303)


def test_an_error_code_outside_the_standard_is_kept(scripted: "Scripted") -> None:
    wan, _ = scripted({"DeletePortMapping": [899]})
    with pytest.raises(Refused) as caught:
        wan.delete(Protocol.TCP, 30303)
    assert caught.value.code == 899


def test_a_missing_entry_is_told_from_a_gateway_that_cannot_be_asked(scripted: "Scripted") -> None:
    wan, _ = scripted({"GetSpecificPortMappingEntry": [714, 401]})
    assert wan.entry(Protocol.TCP, 30303) is None
    with pytest.raises(Refused):
        wan.entry(Protocol.TCP, 30303)


def test_an_entry_is_read(scripted: "Scripted") -> None:
    entry = {"NewInternalClient": "10.0.0.7", "NewInternalPort": "5", "NewEnabled": "1", "NewLeaseDuration": "77"}
    wan, _ = scripted(
        {"GetSpecificPortMappingEntry": [entry | {"NewPortMappingDescription": "caf\u00e9 &amp; \u2603"}]}
    )
    assert wan.entry(Protocol.UDP, 30303) == PortMappingEntry("10.0.0.7", 5, "caf\u00e9 & \u2603", 77)


def test_an_entry_without_values_is_read_as_empty(scripted: "Scripted") -> None:
    wan, _ = scripted({"GetSpecificPortMappingEntry": [{}]})
    assert wan.entry(Protocol.TCP, 30303) == PortMappingEntry("", 0, "", 0)


def test_a_dripping_reply_ends_with_the_deadline(serve: "WebServers") -> None:
    with Stopwatch() as watch:
        wan = connection(serve.drip(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 90, every=0.01), timeout=0.2)
        with pytest.raises(GatewayTimeout):
            wan.status()
        with pytest.raises(GatewayTimeout, match="no time left"):
            wan.external_ip()
    assert watch.seconds < 0.5


def test_a_gateway_that_has_gone_is_known_at_once() -> None:
    with Stopwatch() as watch, pytest.raises(NoGateway, match="refused"):
        connection(HERE).external_ip()
    assert watch.seconds < 0.5


def test_the_wire_is_seen_at_debug(scripted: "Scripted", caplog: pytest.LogCaptureFixture) -> None:
    wan, _ = scripted({"GetStatusInfo": [{"NewConnectionStatus": "Up", "NewUptime": "1"}]})
    with caplog.at_level(logging.DEBUG, "portmap.upnp"):
        wan.status()
    assert [record.getMessage()[:2] for record in caplog.records] == ["->", "<-"]


def test_a_call_that_fails_without_a_reason_is_repeated_after_a_pause_and_the_pause_is_remembered(
    scripted: "Scripted",
) -> None:
    pacing = CallPacing()
    answer = {"NewExternalIPAddress": "203.0.113.7"}
    wan, gateway = scripted({"GetExternalIPAddress": [501, answer]}, pacing)
    began = time.monotonic()
    assert wan.external_ip() == "203.0.113.7"
    assert time.monotonic() - began >= soap_client.PAUSE
    assert (pacing.pause_needed, len(gateway.heard)) == (True, 2)


OTHER_ANSWERS = [714, http(b"OK"), http(b"", "500 Internal Server Error"), http(b"", "404 Not Found")]


@pytest.mark.parametrize("other", OTHER_ANSWERS, ids=["a refusal", "an illegible yes", "a bare 500", "404"])
def test_a_pause_helped_if_any_other_answer_comes_after_it(other: int | bytes, scripted: "Scripted") -> None:
    pacing = CallPacing()
    wan, _ = scripted({"DeletePortMapping": [501, other]}, pacing)
    with pytest.raises(NATError):
        wan.delete(Protocol.TCP, 30303)
    assert pacing.pause_needed


def test_whether_a_pause_helped_is_not_known_where_no_answer_comes_after_it(scripted: "Scripted") -> None:
    pacing = CallPacing()
    wan, _ = scripted({"DeletePortMapping": [501]}, pacing)
    wan.soap.deadline = time.monotonic() + soap_client.PAUSE / 2
    with pytest.raises(GatewayTimeout):
        wan.delete(Protocol.TCP, 30303)
    assert not pacing.pause_needed


def test_a_call_that_fails_again_after_the_pause_is_not_repeated_a_second_time(scripted: "Scripted") -> None:
    pacing = CallPacing()
    wan, gateway = scripted({"GetExternalIPAddress": [501]}, pacing)
    for _ in range(2):
        with pytest.raises(Refused):
            wan.external_ip()
    assert (pacing.pause_needed, len(gateway.heard)) == (False, 3)


@pytest.mark.parametrize("port", [0, -1, 65536, 70000])
def test_a_port_that_cannot_be_is_never_sent(scripted: "Scripted", port: int) -> None:
    wan, gateway = scripted({})
    with pytest.raises(SpecError, match="out of range"):
        wan.add(Protocol.TCP, port, CLIENT, 30303, "portmap:x", 600)
    assert gateway.heard == []


@pytest.mark.parametrize(("description", "lease"), [("x", -1), ("x", 604801), ("", 1), ("x\n", 1), ("x" * 121, 1)])
def test_a_lease_or_description_that_cannot_be_is_never_sent(
    scripted: "Scripted", description: str, lease: int
) -> None:
    wan, gateway = scripted({})
    with pytest.raises(SpecError):
        wan.add(Protocol.TCP, 30303, CLIENT, 30303, description, lease)
    assert gateway.heard == []
