"""The subscription and the door where events come in, each by itself."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from portmap.wire.waiter import HungUp, Line
from portmap_upnp.contact import Contact
from portmap_upnp.discovery.description import Gateway, Service
from portmap_upnp.location import Location
from portmap_upnp.notifications.callback_server import LIMIT, PATIENCE, Doorbell
from portmap_upnp.notifications.subscription import Events

if TYPE_CHECKING:
    from tests.upnp.conftest import WebServers

LOOPBACK = IPv4Address("127.0.0.1")
GRANTED = b"HTTP/1.1 200 OK\r\nSID: uuid:1\r\nTIMEOUT: Second-300\r\nContent-Length: 0\r\n\r\n"
FORGOTTEN = b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
BODY = b"<e><ExternalIPAddress>%s</ExternalIPAddress></e>"


@pytest.fixture
def line() -> Iterator[Line]:
    with Line() as line:
        yield line


@pytest.fixture
def bell() -> Iterator[Doorbell]:
    with closing(Doorbell(LOOPBACK, LOOPBACK)) as bell:
        yield bell


@pytest.fixture
def events(line: Line) -> Iterator[Events]:
    events = Events(line)
    yield events
    events.end()


class Service3:
    """An event URL that answers by script, the last answer for ever; `heard` are the requests."""

    def __init__(self, serve: "WebServers", *answers: bytes) -> None:
        self.answers, self.heard = list(answers), list[bytes]()
        where = serve.visit(self._visit)
        service = Service("x", where, where)
        self.contact = Contact(Gateway(where, "1", (service,)), service, LOOPBACK)

    def _visit(self, visitor: socket.socket, request: bytes) -> None:
        self.heard.append(request)
        visitor.sendall(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def deliver(self, address: bytes, sid: bytes = b"uuid:1") -> None:
        """Send an event to where the subscription wants it."""
        url = self.heard[0].partition(b"<http://127.0.0.1:")[2].partition(b">")[0]
        port, _, path = url.partition(b"/")
        body = BODY % address
        with socket.create_connection(("127.0.0.1", int(port))) as sock:
            sock.sendall(
                b"NOTIFY /%s HTTP/1.1\r\nSID: %s\r\nContent-Length: %d\r\n\r\n" % (path, sid, len(body)) + body
            )


def test_a_subscription_is_had_and_then_extended_at_half_of_its_time(events: Events, serve: "WebServers") -> None:
    gateway = Service3(serve, GRANTED)
    events.follow(gateway.contact)
    assert (events.keep(), events.keep()) == ("", "")
    assert [b"CALLBACK" in request for request in gateway.heard] == [True, False]
    assert b"SID: uuid:1" in gateway.heard[1]
    assert events.due == pytest.approx(time.monotonic() + 150, abs=5)


def test_a_subscription_that_was_forgotten_is_a_reason_to_alert(events: Events, serve: "WebServers") -> None:
    gateway = Service3(serve, GRANTED, FORGOTTEN, GRANTED)
    events.follow(gateway.contact)
    assert events.keep() == ""
    assert events.keep() == "the gateway has forgotten that we want its events"
    assert events.due <= time.monotonic()
    assert events.keep() == ""


@pytest.mark.parametrize("answer", [FORGOTTEN, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"garbage\r\n\r\n"])
def test_a_gateway_that_gives_no_events_is_said_so_once_and_asked_again_later(
    events: Events, serve: "WebServers", answer: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    events.follow(Service3(serve, answer).contact)
    with caplog.at_level("INFO", "portmap.upnp"):
        assert (events.keep(), events.keep()) == ("", "")
    assert caplog.text.count("no events of the gateway") == 1
    assert events.due > time.monotonic() + 60


def test_a_gateway_that_offers_no_events_is_not_asked(events: Events) -> None:
    service = Service("x", Location(LOOPBACK, 9, "/c"))
    events.follow(Contact(Gateway(service.control, "1", (service,)), service, LOOPBACK))
    assert events.due == float("inf")


def test_what_changes_between_two_events_is_the_reason(events: Events, serve: "WebServers") -> None:
    gateway = Service3(serve, GRANTED)
    events.follow(gateway.contact)
    events.keep()
    gateway.deliver(b"1.2.3.4")
    assert events.listen() == ""
    gateway.deliver(b"0.0.0.0")
    gateway.deliver(b"5.6.7.8")
    assert events.listen() == "external address announced: 1.2.3.4 → 5.6.7.8"


def test_an_event_of_another_subscription_is_ignored(events: Events, serve: "WebServers") -> None:
    gateway = Service3(serve, GRANTED)
    events.follow(gateway.contact)
    events.keep()
    gateway.deliver(b"1.2.3.4")
    events.listen()
    gateway.deliver(b"9.9.9.9", sid=b"uuid:2")
    assert events.listen() == ""


def test_what_a_gateway_told_before_is_compared_with_what_it_tells_after_a_restart(
    events: Events, serve: "WebServers"
) -> None:
    gateway = Service3(serve, GRANTED)
    events.follow(gateway.contact)
    events.keep()
    gateway.deliver(b"1.2.3.4")
    events.listen()
    events.follow(gateway.contact)
    gateway.heard.clear()
    events.keep()
    gateway.deliver(b"5.6.7.8")
    assert "5.6.7.8" in events.listen()


# The door ------------------------------------------------------------------------------------------------------


def visit(bell: Doorbell, *pieces: bytes, sender: str = "127.0.0.1") -> socket.socket:
    visitor = socket.create_connection(bell.sock.getsockname(), source_address=(sender, 0))
    for piece in pieces:
        visitor.sendall(piece)
    return visitor


def test_what_is_delivered_is_handed_on_and_thanked_for(bell: Doorbell, line: Line) -> None:
    with visit(bell, b"NOTIFY /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n", b"ab") as visitor:
        assert bell.answer(line).endswith(b"\r\n\r\nab")
        assert visitor.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_an_event_without_a_length_ends_with_the_connection(bell: Doorbell, line: Line) -> None:
    with visit(bell, b"NOTIFY /x HTTP/1.0\r\n\r\nabc") as visitor:
        visitor.shutdown(socket.SHUT_WR)
        assert bell.answer(line).endswith(b"abc")


def test_nobody_but_the_gateway_is_let_in(line: Line) -> None:
    with closing(Doorbell(LOOPBACK, IPv4Address("127.0.0.2"))) as bell, visit(bell, b"NOTIFY") as visitor:
        assert bell.answer(line) == b""
        with pytest.raises(ConnectionResetError):
            visitor.recv(1)


def test_a_visitor_who_says_nothing_is_sent_away_in_time(bell: Doorbell, line: Line) -> None:
    began = time.monotonic()
    with visit(bell):
        assert bell.answer(line) == b""
    assert time.monotonic() - began < PATIENCE + 0.5


def test_a_visitor_who_never_ends_is_cut_off(bell: Doorbell, line: Line) -> None:
    with visit(bell, b"x" * 3 * LIMIT):
        assert len(bell.answer(line)) <= 2 * LIMIT


def test_a_visit_ends_when_the_line_is_hung_up(bell: Doorbell, line: Line) -> None:
    with visit(bell):
        threading.Timer(0.05, line.hang_up).start()
        began = time.monotonic()
        with pytest.raises(HungUp):
            bell.answer(line)
    assert time.monotonic() - began < PATIENCE / 2


def test_the_bell_is_only_on_our_own_address_and_at_a_path_that_nobody_knows(bell: Doorbell) -> None:
    with closing(Doorbell(LOOPBACK, LOOPBACK)) as other:
        assert bell.url.startswith("http://127.0.0.1:")
        assert bell.path != other.path
