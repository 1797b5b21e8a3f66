"""Peers on loopback for what the simulated router does not do: canned bytes, scripted SOAP, search answers at will."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from ipaddress import IPv4Address
from itertools import chain, repeat
from threading import Thread
from typing import Self, TypeAlias

import pytest
from tests.upnp.canned import http
from tests.upnp.real_routers import HOST
from tests.upnp.watched import House, free_port

from portmap.testing import Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.control.soap_client import CallPacing, SoapClient
from portmap_upnp.control.wan_connection import WanConnection
from portmap_upnp.discovery.search import Search
from portmap_upnp.location import Location
from portmap_upnp.mapping.port_mapper import PortMapper

LOOPBACK = IPv4Address("127.0.0.1")
WANIP = "urn:schemas-upnp-org:service:WANIPConnection:1"

Visit: TypeAlias = Callable[[socket.socket, bytes], None]
"""What a web server does with one visitor, whose request it has read."""

Script: TypeAlias = dict[str, list[int | dict[str, str] | bytes]]
"""What each action answers, in order, the last for ever: a fault's code, values, or a whole HTTP response."""


@contextmanager
def listening(visit: Visit) -> Iterator[int]:
    """A web server on loopback; its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = Thread(target=_receive, args=(server, visit))
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _receive(server: socket.socket, visit: Visit) -> None:
    with suppress(OSError):  # the server was closed
        while True:
            visitor, _ = server.accept()
            with closing(visitor), suppress(OSError):  # the visitor may have left
                visitor.settimeout(2)
                visit(visitor, _request(visitor))


def _request(visitor: socket.socket) -> bytes:
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += visitor.recv(4096)
    length = re.search(rb"(?i)content-length: *(\d+)", received)
    while length and len(received) < end + 4 + int(length[1]):
        received += visitor.recv(4096)
    return received


class WebServers:
    """Web servers on loopback, each with one answer for everybody; every method tells where a new one is."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def body(self, body: bytes, status: str = "200 OK") -> Location:
        return self.raw(http(body, status))

    def raw(self, response: bytes) -> Location:
        return self.visit(lambda visitor, _: visitor.sendall(response))

    def drip(self, response: bytes, every: float) -> Location:
        def visit(visitor: socket.socket, _: bytes) -> None:
            for byte in response:
                visitor.sendall(bytes([byte]))
                time.sleep(every)

        return self.visit(visit)

    def visit(self, visit: Visit) -> Location:
        return Location(LOOPBACK, self._stack.enter_context(listening(visit)), "/desc.xml")


@pytest.fixture
def serve() -> Iterator[WebServers]:
    """Starts web servers."""
    with ExitStack() as stack:
        yield WebServers(stack)


class ScriptedGateway:
    """A gateway that answers each action by script; `heard` are the actions, `requests` the bytes."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.heard: list[str] = []
        self.requests: list[bytes] = []

    def visit(self, visitor: socket.socket, request: bytes) -> None:
        self.requests.append(request)
        found = re.search(rb'SOAPAction: "[^"]*#(\w+)"', request)
        action = found[1].decode() if found else "?"
        self.heard.append(action)
        answers = self.script.setdefault(action, [401])  # as of an action that it does not know
        visitor.sendall(_soap(answers.pop(0) if len(answers) > 1 else answers[0]))


def _soap(answer: int | dict[str, str] | bytes) -> bytes:
    match answer:
        case bytes():
            return answer
        case int():
            fault = f"<UPnPError><errorCode>{answer}</errorCode><errorDescription>No</errorDescription></UPnPError>"
            return http(f"<Envelope><Body><Fault>{fault}</Fault></Body></Envelope>".encode(), "500 Error")
    values = "".join(f"<{name}>{value}</{name}>" for name, value in answer.items())
    return http(f"<Envelope><Body><u:XResponse>{values}</u:XResponse></Body></Envelope>".encode())


Scripted: TypeAlias = Callable[..., tuple[WanConnection, ScriptedGateway]]


@pytest.fixture
def scripted(serve: WebServers) -> Scripted:
    """The actions of a scripted gateway, and the gateway."""

    def connect(script: Script, pacing: CallPacing | None = None) -> tuple[WanConnection, ScriptedGateway]:
        gateway = ScriptedGateway(script)
        control = serve.visit(gateway.visit)
        soap = SoapClient(WANIP, control, time.monotonic() + 9, pacing=pacing or CallPacing())
        return WanConnection(soap), gateway

    return connect


@pytest.fixture
def router() -> Iterator[Router]:
    """A simulated router without a fault."""
    with Router(pmp=False, quirks=Quirks()) as simulated:
        yield simulated


BackendFor: TypeAlias = Callable[..., Upnp]
ALTERNATIVE = 25678  # the port that is "drawn" when the wanted one is taken


@pytest.fixture
def backend_for() -> BackendFor:
    """A backend that searches at one router only, by unicast, for `timeout` seconds."""

    def make(router: Router, timeout: float = 2.5) -> Upnp:
        gateways = [IPv4Address(router.address)]
        search = Search(lambda: gateways, multicast=None, port=router.ssdp_port, timeout=timeout)
        return Upnp(search=search, choose=lambda: ALTERNATIVE, announced_at=("127.0.0.1", free_port()))

    return make


@pytest.fixture
def upnp(router: Router, backend_for: BackendFor) -> Upnp:
    """A backend for the simulated router."""
    return backend_for(router)


class SearchAnswerer:
    """A UDP peer on loopback that answers every search with the same datagrams; `heard` are the searches."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.lost = 0
        self.heard: list[bytes] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with closing(self._sock):
            self._sock.sendto(b"", ("127.0.0.1", self.port))
            self._thread.join()

    def search(self, timeout: float = 0.5, gateways: tuple[str, ...] = ("127.0.0.1",)) -> Search:
        return Search(lambda: [IPv4Address(it) for it in gateways], multicast=None, port=self.port, timeout=timeout)

    def points_to(self, *locations: object) -> None:
        self.answers += [f"HTTP/1.1 200 OK\r\nLOCATION: {location}\r\n\r\n".encode() for location in locations]

    def _run(self) -> None:
        while (received := self._sock.recvfrom(4096))[0]:
            self.heard.append(received[0])
            if len(self.heard) > self.lost:
                for answer in self.answers:
                    self._sock.sendto(answer, received[1])


@pytest.fixture
def answerer() -> Iterator[SearchAnswerer]:
    """A device that answers searches as it is told."""
    with SearchAnswerer() as peer:
        yield peer


@pytest.fixture
def house() -> Iterator[House]:
    with House() as house:
        yield house


@pytest.fixture
def settled(house: House) -> House:
    house.settle()
    return house


@pytest.fixture
def mapper() -> PortMapper:
    return PortMapper(chain([20001, 20002], repeat(20003)).__next__, HOST, is_host_present=lambda *_: True)
