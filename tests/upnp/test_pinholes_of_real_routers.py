"""IPv6 firewalls that answer oddly: the service has moved, a yes cannot be read."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from ipaddress import IPv6Address
from threading import Thread

import pytest
from tests.upnp.canned import http
from tests.upnp.real_routers import UNAUTHORISED
from tests.upnp.test_pinhole_backend import Start, opened, start

from portmap.model import Grant, Protocol
from portmap_upnp.control.firewall_control import FirewallControl
from portmap_upnp.control.soap_client import SoapClient
from portmap_upnp.discovery.description import FirewallDevice, Service
from portmap_upnp.location import Location
from portmap_upnp.pinhole_backend import NO_NUMBER, UpnpPinholes

__all__ = ["start"]

US = IPv6Address("::1")
FIREWALL = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
INVALID_ACTION = http(b"<Envelope><Fault><errorCode>401</errorCode></Fault></Envelope>", "500 Internal Server Error")


@contextmanager
def answering(answer: bytes) -> Iterator[Location]:
    """A web server at ::1 with one answer for everybody."""
    with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)) as server:
        thread = Thread(target=_answer, args=(server, answer))
        thread.start()
        try:
            yield Location(US, server.getsockname()[1], "/ctl")
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _answer(server: socket.socket, answer: bytes) -> None:
    with suppress(OSError):  # the server was closed
        while True:
            visitor, _ = server.accept()
            with closing(visitor), suppress(OSError):
                visitor.recv(65536)
                visitor.sendall(answer)


@pytest.mark.parametrize("answer", [INVALID_ACTION, UNAUTHORISED])
def test_a_firewall_whose_service_moved_is_found_though_the_old_one_answers(answer: bytes, start: Start) -> None:
    router, backend = start()
    backend.external_ip()
    device = backend._device
    assert device
    with answering(answer) as old:
        backend._device = device._replace(service=device.service._replace(control=old))
        assert backend.external_ip() == US
        backend._device = device._replace(service=device.service._replace(control=old))
        assert backend.add_mapping(Protocol.TCP, 0, 4001, 600) == Grant(4001, 600, US)
    assert opened(router) == [("TCP", 4001, 600)]


@pytest.mark.parametrize("inner", [b"", b"<UniqueID/>", b"<UniqueID>0x7</UniqueID>", b"<UniqueID>uuid:7</UniqueID>"])
def test_a_pinhole_that_gets_no_good_number_is_granted_and_told_so(inner: bytes) -> None:
    with answering(
        http(b"<Envelope><Body><AddPinholeResponse>" + inner + b"</AddPinholeResponse></Body></Envelope>")
    ) as it:
        backend = UpnpPinholes(it, here=lambda: US)
        backend._device = FirewallDevice(it, Service(FIREWALL, it))
        assert backend.add_mapping(Protocol.TCP, 0, 4001, 600) == Grant(4001, 600, US, note=NO_NUMBER)
        backend.delete_mapping(Protocol.TCP, 4001, 4001)  # by a lease of a second


@pytest.mark.parametrize(("word", "is_on"), [("on", True), ("Enabled", True), ("off", False), ("disabled", False)])
def test_what_a_firewall_says_of_itself_is_understood_in_other_words(word: str, *, is_on: bool) -> None:
    values = f"<FirewallEnabled>{word}</FirewallEnabled><InboundPinholeAllowed>{word}</InboundPinholeAllowed>"
    with answering(http(f"<Envelope><Body>{values}</Body></Envelope>".encode())) as control:
        status = FirewallControl(SoapClient(FIREWALL, control, float("inf"), US), US).status()
    assert status == (is_on, is_on)


@pytest.mark.parametrize("yes", [b"OK", b"<ok/>", b"<s:Envelope>"])
def test_a_pinhole_is_closed_though_the_yes_cannot_be_read(yes: bytes) -> None:
    with answering(http(yes)) as control:
        FirewallControl(SoapClient(FIREWALL, control, float("inf"), US), US).delete("7")
