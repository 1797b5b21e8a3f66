"""The subscription by itself."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.wire.waiter import Waiter
from portmap_upnp.discovery.description import GatewayDevice, Service
from portmap_upnp.gateway_session import ActiveGateway
from portmap_upnp.location import Location
from portmap_upnp.notifications.subscription import EVENT_INTERVAL, EventSubscription

if TYPE_CHECKING:
    from tests.upnp.conftest import WebServers

LOOPBACK = IPv4Address("127.0.0.1")
GRANTED = b"HTTP/1.1 200 OK\r\nSID: uuid:1\r\nTIMEOUT: Second-300\r\nContent-Length: 0\r\n\r\n"
FORGOTTEN = b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
BODY = b"<e><ExternalIPAddress>%s</ExternalIPAddress></e>"


WITHOUT_END = [
    b"HTTP/1.1 200 OK\r\nSID: uuid:1\r\nTIMEOUT: Second-300\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSID: uuid:1\r\nTIMEOUT: Second-300\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nSID: uuid:1\r\nTIMEOUT: Second-300\r\nTransfer-Encoding: chunked\r\n\r\n",
]


@pytest.fixture
def line() -> Iterator[Waiter]:
    with Waiter() as line:
        yield line


@pytest.fixture
def events(line: Waiter) -> Iterator[EventSubscription]:
    events = EventSubscription(line)
    yield events
    events.close()


class Service3:
    """An event URL that answers by script, the last answer for ever; `heard` are the requests."""

    def __init__(self, serve: "WebServers", *answers: bytes) -> None:
        self.answers, self.heard = list(answers), list[bytes]()
        where = serve.visit(self._visit)
        service = Service("x", where, where)
        self.contact = ActiveGateway(GatewayDevice(where, "1", (service,)), service, LOOPBACK)

    def _visit(self, visitor: socket.socket, request: bytes) -> None:
        self.heard.append(request)
        visitor.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def deliver(self, address: bytes, sid: bytes = b"uuid:1") -> None:
        """Send an event to where the subscription wants it."""
        url = self.heard[0].partition(b"<http://127.0.0.1:")[2].partition(b">")[0]
        port, _, path = url.partition(b"/")
        body = BODY % address
        with socket.create_connection(("127.0.0.1", int(port)), timeout=1) as sock:
            sock.sendall(
                b"NOTIFY /%s HTTP/1.1\r\nSID: %s\r\nContent-Length: %d\r\n\r\n" % (path, sid, len(body)) + body
            )


@pytest.mark.parametrize("granted", WITHOUT_END, ids=["no length", "too long a length", "no last chunk"])
def test_a_subscription_is_had_though_the_answer_has_no_end(
    events: EventSubscription, serve: "WebServers", granted: bytes
) -> None:
    def visit(visitor: socket.socket, _: bytes) -> None:
        visitor.sendall(granted)
        visitor.recv(1)  # until the client leaves

    where = serve.visit(visit)
    service = Service("x", where, where)
    events.subscribe_to(ActiveGateway(GatewayDevice(where, "1", (service,)), service, LOOPBACK))
    with Stopwatch() as watch:
        events.renew()
    assert events.sockets
    assert watch.seconds < 1


def test_a_subscription_is_had_and_then_extended_at_half_of_its_time(
    events: EventSubscription, serve: "WebServers"
) -> None:
    gateway = Service3(serve, GRANTED)
    events.subscribe_to(gateway.contact)
    assert (events.renew(), events.renew()) == ("", "")
    assert [b"CALLBACK" in request for request in gateway.heard] == [True, False]
    assert b"SID: uuid:1" in gateway.heard[1]
    assert events.due == pytest.approx(time.monotonic() + 150, abs=5)


def test_a_subscription_that_was_forgotten_is_a_reason_to_alert(events: EventSubscription, serve: "WebServers") -> None:
    gateway = Service3(serve, GRANTED, FORGOTTEN, GRANTED)
    events.subscribe_to(gateway.contact)
    assert events.renew() == ""
    assert events.renew() == "the gateway has forgotten that we want its events"
    assert events.due <= time.monotonic()
    assert events.renew() == ""


@pytest.mark.parametrize("answer", [FORGOTTEN, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"garbage\r\n\r\n"])
def test_a_gateway_that_gives_no_events_is_said_so_once_and_asked_again_later(
    events: EventSubscription, serve: "WebServers", answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    events.subscribe_to(Service3(serve, answer).contact)
    with caplog.at_level("INFO", "portmap.upnp"):
        assert (events.renew(), events.renew()) == ("", "")
    assert caplog.text.count("no events of the gateway") == 1
    assert events.due > time.monotonic() + 60


def test_a_gateway_that_offers_no_events_is_not_asked(events: EventSubscription) -> None:
    service = Service("x", Location(LOOPBACK, 9, "/c"))
    events.subscribe_to(ActiveGateway(GatewayDevice(service.control, "1", (service,)), service, LOOPBACK))
    assert events.due == float("inf")


def told_once(events: EventSubscription, serve: "WebServers") -> Service3:
    """A gateway that is subscribed to, and has told its address, 1.2.3.4."""
    gateway = Service3(serve, GRANTED)
    events.subscribe_to(gateway.contact)
    events.renew()
    gateway.deliver(b"1.2.3.4")
    events.receive()
    return gateway


def test_what_changes_between_two_events_is_the_reason(events: EventSubscription, serve: "WebServers") -> None:
    gateway = Service3(serve, GRANTED)
    events.subscribe_to(gateway.contact)
    events.renew()
    gateway.deliver(b"1.2.3.4")
    assert events.receive() == ""
    gateway.deliver(b"0.0.0.0")
    gateway.deliver(b"5.6.7.8")
    assert events.receive() == "external address announced: 1.2.3.4 → 5.6.7.8"


def test_an_event_of_another_subscription_is_ignored(events: EventSubscription, serve: "WebServers") -> None:
    gateway = told_once(events, serve)
    gateway.deliver(b"9.9.9.9", sid=b"uuid:2")
    assert events.receive() == ""


def test_what_a_gateway_told_before_is_compared_with_what_it_tells_after_a_restart(
    events: EventSubscription, serve: "WebServers"
) -> None:
    gateway = told_once(events, serve)
    events.subscribe_to(gateway.contact)
    gateway.heard.clear()
    events.renew()
    gateway.deliver(b"5.6.7.8")
    assert "5.6.7.8" in events.receive()


@contextmanager
def flood(gateway: Service3) -> Iterator[None]:
    """Events without end, a hundred a second at the most: of more, the kernel turns some away, which makes pauses."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(0.01):
            with suppress(OSError):
                gateway.deliver(b"1.2.3.4")

    thread = threading.Thread(target=send)
    thread.start()
    yield
    over.set()
    thread.join(10)


def test_an_event_is_read_at_once_however_many_other_hosts_connect_before_it(
    events: EventSubscription, serve: "WebServers"
) -> None:
    gateway = told_once(events, serve)
    (server,) = events.sockets
    with ExitStack() as held:
        for _ in range(40):
            stranger = held.enter_context(closing(socket.socket()))
            stranger.bind(("127.0.0.9", 0))
            stranger.setblocking(False)
            stranger.connect_ex(server.getsockname())
        gateway.deliver(b"5.6.7.8")
        assert events.receive() == "external address announced: 1.2.3.4 → 5.6.7.8"


def test_an_event_right_after_another_is_read_at_once(events: EventSubscription, serve: "WebServers") -> None:
    # While a message waits for our answer, miniupnpd drops the changes that follow it.
    gateway = told_once(events, serve)
    assert len(events.sockets) == 1
    gateway.deliver(b"5.6.7.8")
    assert "5.6.7.8" in events.receive()


def test_after_many_events_none_is_read_for_half_a_second(events: EventSubscription, serve: "WebServers") -> None:
    gateway = Service3(serve, GRANTED)
    events.subscribe_to(gateway.contact)
    events.renew()
    began = time.monotonic()
    with flood(gateway):
        events.receive()
    assert events.listen_at >= began + EVENT_INTERVAL
    assert not events.sockets


def test_a_round_of_events_ends_although_events_come_without_end(
    events: EventSubscription, serve: "WebServers"
) -> None:
    gateway = Service3(serve, GRANTED)
    events.subscribe_to(gateway.contact)
    events.renew()
    with flood(gateway):
        began = time.monotonic()
        events.receive()
        took = time.monotonic() - began
        events.close()  # refuses what the flood still sends
    assert took < 3
