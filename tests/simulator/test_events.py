"""GENA: subscriptions and events, pure and on the wire."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any, TypeAlias

import pytest

from portmap.simulator.net.http import WebRequest
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.gena import Callback, SubscriptionRefused, Subscriptions, read_callback, state_of
from portmap.testing import Heard, Quirks, Router

PATH = "/evt/WANIPConn1"
CLIENT = "127.0.0.1"
NEW = {"callback": "<http://127.0.0.1:4000/hear>", "nt": "upnp:event", "timeout": "Second-300"}
Start: TypeAlias = Callable[..., Router]


def respond(
    subscriptions: Subscriptions, method: str, headers: dict[str, str], now: float = 0.0
) -> tuple[int, dict[str, str]]:
    _, response = subscriptions.respond(WebRequest(method, PATH, headers), CLIENT, now)
    return response.status.value, dict(response.headers)


def told(subscriptions: Subscriptions, state: RouterState, now: float = 0.0) -> list[str]:
    return [message.data.decode() for message in subscriptions.due(state_of(state, now), now)]


@pytest.fixture
def subscriptions() -> Subscriptions:
    """One subscriber, who has been told nothing yet."""
    made = Subscriptions(lambda: "uuid:1")
    assert respond(made, "SUBSCRIBE", NEW) == (200, {"SID": "uuid:1", "TIMEOUT": "Second-300"})
    return made


def test_the_first_event_tells_everything(subscriptions: Subscriptions) -> None:
    (text,) = told(subscriptions, RouterState())
    assert text.startswith("NOTIFY /hear HTTP/1.1\r\nHOST: 127.0.0.1:4000\r\n")
    assert "\r\nNT: upnp:event\r\nNTS: upnp:propchange\r\nSID: uuid:1\r\nSEQ: 0\r\n" in text
    assert "<ExternalIPAddress>1.2.3.4</" in text
    assert "<ConnectionStatus>Connected</" in text
    assert "<PortMappingNumberOfEntries>0</" in text


def test_later_events_tell_what_has_changed(subscriptions: Subscriptions) -> None:
    told(subscriptions, RouterState())
    (text,) = told(subscriptions, RouterState("203.0.113.9"))
    assert re.findall(r"<e:property><(\w+)>(.*?)</", text) == [("ExternalIPAddress", "203.0.113.9")]
    assert "\r\nSEQ: 1\r\n" in text


def test_no_change_is_no_event(subscriptions: Subscriptions) -> None:
    told(subscriptions, RouterState())
    assert told(subscriptions, RouterState()) == []


def test_a_line_that_goes_down_is_an_event(subscriptions: Subscriptions) -> None:
    told(subscriptions, RouterState())
    (text,) = told(subscriptions, RouterState(quirks=Quirks(no_wan=True)))
    assert "<ConnectionStatus>Disconnected</" in text
    assert "<ExternalIPAddress></" in text


def test_the_number_after_the_last_is_one(subscriptions: Subscriptions) -> None:
    next(iter(subscriptions._all.values())).seq = 0xFFFFFFFF
    assert "SEQ: 4294967295\r\n" in told(subscriptions, RouterState())[0]
    assert "SEQ: 1\r\n" in told(subscriptions, RouterState("5.6.7.8"))[0]


def test_a_subscription_ends_with_its_time(subscriptions: Subscriptions) -> None:
    assert told(subscriptions, RouterState(), now=300.0) == []
    assert len(subscriptions) == 0


def test_a_renewed_subscription_lasts_longer(subscriptions: Subscriptions) -> None:
    assert respond(subscriptions, "SUBSCRIBE", {"sid": "uuid:1", "timeout": "Second-300"}, 200.0)[0] == 200
    assert len(told(subscriptions, RouterState(), now=400.0)) == 1


def test_an_ended_subscription_cannot_be_renewed(subscriptions: Subscriptions) -> None:
    assert respond(subscriptions, "SUBSCRIBE", {"sid": "uuid:1"}, 300.0)[0] == 412


def test_an_ended_subscription_gets_no_events(subscriptions: Subscriptions) -> None:
    assert respond(subscriptions, "UNSUBSCRIBE", {"sid": "uuid:1"}) == (200, {})
    assert told(subscriptions, RouterState()) == []


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("SUBSCRIBE", {"sid": "uuid:2"}, 412),
        ("UNSUBSCRIBE", {"sid": "uuid:2"}, 412),
        ("UNSUBSCRIBE", {}, 412),
        ("SUBSCRIBE", {"sid": "uuid:1", "nt": "upnp:event"}, 400),
        ("SUBSCRIBE", {"sid": "uuid:1", "callback": NEW["callback"]}, 400),
        ("SUBSCRIBE", {"callback": NEW["callback"]}, 412),
        ("SUBSCRIBE", {"callback": NEW["callback"], "nt": "other"}, 412),
        ("SUBSCRIBE", {"nt": "upnp:event"}, 412),
    ],
)
def test_a_subscription_that_makes_no_sense_is_refused(
    subscriptions: Subscriptions, method: str, headers: dict[str, str], status: int
) -> None:
    assert respond(subscriptions, method, headers)[0] == status


@pytest.mark.parametrize(
    ("asked", "granted"), [("Second-1", 60), ("Second-99999", 1800), ("infinite", 1800), ("", 1800), ("Second-x", 1800)]
)
def test_a_subscription_lasts_from_one_to_thirty_minutes(asked: str, granted: int) -> None:
    _, headers = respond(Subscriptions(), "SUBSCRIBE", NEW | {"timeout": asked})
    assert headers["TIMEOUT"] == f"Second-{granted}"


def test_subscribers_are_limited() -> None:
    crowd = Subscriptions()
    assert [respond(crowd, "SUBSCRIBE", NEW)[0] for _ in range(33)] == [200] * 32 + [503]


def test_there_are_no_events_elsewhere() -> None:
    _, response = Subscriptions().respond(WebRequest("SUBSCRIBE", "/evt/none", NEW), CLIENT, 0.0)
    assert response.status == 404


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://127.0.0.1:1/",
        "<https://127.0.0.1/>",
        "<http://192.0.2.1/>",
        "<http://example.org/>",
        "<http://127.0.0.1:0/>",
        "<http://127.0.0.1:99999/>",
        "<http://127.0.0.1/\r\nX: y>",
        "<http://[::1]/>",
    ],
)
def test_a_callback_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(SubscriptionRefused):
        read_callback(text, CLIENT)


def test_a_callback_may_lead_to_the_subscriber() -> None:
    assert read_callback("<http://192.0.2.7/a?b>", "192.0.2.7") == Callback("192.0.2.7", 80, "/a?b")


# On the wire.


@pytest.fixture
def sink() -> Iterator[socket.socket]:
    """Where events are heard."""
    with closing(socket.create_server((CLIENT, 0))) as sock:
        sock.settimeout(2)
        yield sock


def subscribe(router: Router, sink: socket.socket) -> str:
    with closing(HTTPConnection(router.address, router.http_port, timeout=2)) as connection:
        callback = f"<http://127.0.0.1:{sink.getsockname()[1]}/>"
        connection.request("SUBSCRIBE", PATH, headers={"CALLBACK": callback, "NT": "upnp:event"})
        response = connection.getresponse()
        assert response.status == 200
        return response.headers["SID"]


def event(sink: socket.socket) -> dict[str, Any]:
    visitor, _ = sink.accept()
    with closing(visitor):
        text = b""
        while b"</e:propertyset>" not in text:
            text += visitor.recv(4096)
        visitor.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    seq = re.search(rb"SEQ: (\d+)", text)
    assert seq is not None
    return {"seq": int(seq[1])} | dict(re.findall(r"<e:property><(\w+)>(.*?)</", text.decode()))


def test_a_subscriber_is_told_at_once_and_at_every_change(router: Router, sink: socket.socket) -> None:
    subscribe(router, sink)
    assert event(sink)["seq"] == 0
    router.external_ip = "203.0.113.9"
    assert event(sink) == {"seq": 1, "ExternalIPAddress": "203.0.113.9"}
    router.quirks = Quirks(no_wan=True)
    assert event(sink) == {"seq": 2, "ConnectionStatus": "Disconnected", "ExternalIPAddress": ""}
    assert router.heard == Heard(subscribe=1)


def test_a_new_mapping_is_an_event(router: Router, sink: socket.socket, sock: socket.socket) -> None:
    subscribe(router, sink)
    event(sink)
    sock.sendto(bytes.fromhex("00020000 9c419c41 0000003c"), (router.address, router.pmp_port))
    assert event(sink) == {"seq": 1, "PortMappingNumberOfEntries": "1"}


def test_a_subscriber_that_does_not_read_delays_no_other_request(router: Router, sink: socket.socket) -> None:
    subscribe(router, sink)
    sink.close()
    router.external_ip = "203.0.113.9"
    assert router.entries == ()


def test_a_reboot_forgets_the_subscribers(router: Router, sink: socket.socket) -> None:
    subscribe(router, sink)
    event(sink)
    router.reboot()
    router.external_ip = "203.0.113.9"
    sink.settimeout(0.05)
    with pytest.raises(TimeoutError):
        sink.accept()
