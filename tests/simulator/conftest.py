"""A running router on loopback addresses of its own, and the ways a test speaks to it."""

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from typing import Any, ClassVar, TypeAlias

import pytest

from portmap.testing import Quirks, Router, loopback_address

Ask: TypeAlias = Callable[[int, bytes], bytes]
Fetch: TypeAlias = Callable[..., tuple[int, str]]
Start: TypeAlias = Callable[..., Router]
Behind: TypeAlias = "Callable[..., Lan]"
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><a>{}</a></s:Body></s:Envelope>'
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
RANGE = {"NewStartPort": "1", "NewEndPort": "65535", "NewProtocol": "TCP", "NewManage": "1", "NewNumberOfPorts": "0"}
TIMEOUT = 2.0  # seconds; a test that waits as long as this fails


class Clock:
    """Time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(clock: Clock) -> Iterator[Start]:
    """Start a router with these arguments; it ends with the test."""
    with ExitStack() as stack:
        yield lambda **arguments: stack.enter_context(Router(loopback_address(), clock=clock, **arguments))


@pytest.fixture
def router(start: Start) -> Router:
    """A router without a fault."""
    return start()


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    """A UDP socket of a LAN host."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(TIMEOUT)
        yield sock


@pytest.fixture
def ask(router: Router) -> Iterator[Ask]:
    """Send a datagram to a port of the router and wait for the answer, from there and from nowhere else."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(TIMEOUT)

        def exchange(port: int, data: bytes, timeout: float = TIMEOUT) -> bytes:
            sock.settimeout(timeout)
            sock.connect((router.address, port))
            sock.send(data)
            return sock.recv(2048)

        yield exchange


@pytest.fixture
def fetch(router: Router) -> Fetch:
    """Make one HTTP request of the router: (status, body)."""

    def request(method: str, path: str, body: str = "", **headers: str) -> tuple[int, str]:
        with closing(HTTPConnection(router.address, router.http_port, timeout=TIMEOUT)) as connection:
            connection.request(method, path, body.encode(), headers)
            response = connection.getresponse()
            return response.status, response.read().decode("latin-1")

    return request


@pytest.fixture
def service() -> Iterator[socket.socket]:
    """A TCP service of a LAN host, waiting for its first caller."""
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        sock.settimeout(TIMEOUT)
        yield sock


@pytest.fixture
def udp_service() -> Iterator[socket.socket]:
    """A UDP service of a LAN host."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(TIMEOUT)
        yield sock


class Lan:
    """A host of the LAN: speaks UPnP to one router."""

    MAPPING: ClassVar = {
        "NewRemoteHost": "",
        "NewExternalPort": "20001",
        "NewProtocol": "TCP",
        "NewInternalPort": "20001",
        "NewInternalClient": "127.0.0.1",
        "NewEnabled": "1",
        "NewPortMappingDescription": "portmap:web",
        "NewLeaseDuration": "600",
    }

    def __init__(self, router: Router, sock: socket.socket) -> None:
        self.router, self._sock = router, sock

    def search(self, target: str = "upnp:rootdevice", mx: str = "MX: 1\r\n", where: str = "") -> list[str]:
        """The answers that come within a moment."""
        text = f'M-SEARCH * HTTP/1.1\r\nHOST: x\r\nMAN: "ssdp:discover"\r\n{mx}ST: {target}\r\n\r\n'
        self._sock.sendto(text.encode(), (where or self.router.address, self.router.ssdp_port))
        self._sock.settimeout(0.1)
        answers = []
        try:
            while True:
                data, self.sender = self._sock.recvfrom(4096)
                answers.append(data.decode())
        except TimeoutError:
            return answers

    def fetch(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], str]:
        with closing(HTTPConnection(self.router.address, self.router.http_port, timeout=5)) as connection:
            connection.request(method, path, body.encode(), headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read().decode("latin-1")

    def description(self) -> str:
        return self.fetch("GET", "/desc.xml")[2]

    def call(self, action: str, path: str = "/ctl/IPConn", service: str = SERVICE, **arguments: str) -> dict[str, str]:
        """The results, or the errorCode under the name of `error`."""
        text = self.post(action, path, service, **arguments)[1]
        return {name.replace("errorCode", "error"): value for name, value in re.findall(r"<(\w+)>([^<]*)</", text)}

    def post(self, action: str, path: str = "/ctl/IPConn", service: str = SERVICE, **arguments: str) -> tuple[int, str]:
        """Status and body of the response to a call."""
        leaves = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
        status, _, text = self.fetch("POST", path, ENVELOPE.format(leaves), SOAPAction=f'"{service}#{action}"')
        return status, text

    def add(self, **changes: str) -> str:
        """The errorCode, empty if there is none."""
        return self.call("AddPortMapping", **(self.MAPPING | changes)).get("error", "")

    def remaining(self) -> str:
        """What the router says is left of the lease, or its errorCode."""
        told = self.call("GetSpecificPortMappingEntry", **self.MAPPING)
        return told.get("error") or told["NewLeaseDuration"]

    def delete(self) -> None:
        self.call("DeletePortMapping", **self.MAPPING)

    @staticmethod
    def visit(url: str) -> None:
        """Go where an answer leads."""
        found = re.fullmatch(r"http://([\d.]+):(\d+)(/.*)", url)
        assert found is not None
        with closing(HTTPConnection(found[1], int(found[2]), timeout=TIMEOUT)) as connection:
            connection.request("GET", found[3])
            assert connection.getresponse().status == 404


@pytest.fixture
def lan(start: Start, sock: socket.socket) -> Behind:
    """A host behind a router with these quirks."""

    def behind(igd: int = 1, ssdp_port: int = 0, **quirks: Any) -> Lan:
        return Lan(start(igd=igd, ssdp_port=ssdp_port, quirks=Quirks(**quirks)), sock)

    return behind
