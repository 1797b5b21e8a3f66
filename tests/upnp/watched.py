"""A watched gateway, and what it announces."""

import socket
import threading
import time
from collections.abc import Callable
from ipaddress import IPv4Address
from queue import Empty, SimpleQueue
from typing import Self

from portmap.testing import Router
from portmap_upnp import Upnp
from portmap_upnp.discovery.search import Search
from portmap_upnp.discovery.ssdp import TARGETS

PORT = 20404
SOON = 3.0  # seconds in which an alert must come
NEVER = 0.4  # seconds in which one that is wrong would have come


class House:
    """A router that announces, a backend that watches it, and a liar who can speak as anybody on loopback."""

    def __init__(self) -> None:
        self.threads_before = set(threading.enumerate())
        self.announced_at = ("127.0.0.1", free_port())
        self.router = Router(pmp=False, notify=(self.announced_at,), uptime=5000)
        self.alerts: SimpleQueue[str] = SimpleQueue()
        self.upnp = self._backend()

    def __enter__(self) -> Self:
        self.router.start()
        self.upnp = self._backend()
        self.close = self.upnp.watch(self.alerts.put)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.router.close()

    def settle(self) -> None:
        """Meet the gateway, and let the watch subscribe."""
        self.upnp.external_ip()
        _until(lambda: self.router.heard.subscribe == 1)
        time.sleep(0.1)  # the first event, which is no news

    def alert(self, timeout: float = SOON) -> str:
        """The next alert, "" for none in time."""
        try:
            return self.alerts.get(timeout=timeout)
        except Empty:
            return ""

    def says(self, nts: str, *, location: str = "", boot: str = "", sender: str = "127.0.0.1") -> None:
        """Announce something."""
        announce(self.announced_at, nts, location, boot, sender)

    def alive(self, *, location: str = "", boot: str = "0", sender: str = "127.0.0.1") -> None:
        self.says("ssdp:alive", location=location or self.router.description_url, boot=boot, sender=sender)

    def _backend(self) -> Upnp:
        gateways = [IPv4Address("127.0.0.1")]
        search = Search(lambda: gateways, multicast=None, port=self.router.ssdp_port, timeout=0.5)
        return Upnp(search=search, announced_at=self.announced_at)


def announce(where: tuple[str, int], nts: str, location: str, boot: str, sender: str = "127.0.0.1") -> None:
    """Say there what a gateway says by SSDP."""
    lines = ["NOTIFY * HTTP/1.1", f"NT: {TARGETS[0]}", f"NTS: {nts}", f"LOCATION: {location}"]
    text = "\r\n".join([*lines, f"BOOTID.UPNP.ORG: {boot}", "", ""])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((sender, 0))
        sock.sendto(text.encode(), where)


def free_port() -> int:
    """A UDP port that is free now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _until(met: Callable[[], bool], within: float = SOON) -> None:
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)
