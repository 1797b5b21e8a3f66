"""The addresses of a host's name, looked up again whenever they are asked for.

A lookup may hang, so it is made on a daemon thread, with a time limit; while one hangs no other is begun.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from ipaddress import IPv6Address, ip_address
from typing import TypeAlias

from portmap.errors import GatewayTimeout, NoGateway
from portmap.model import Address

LookUp: TypeAlias = Callable[[str], Sequence[Address]]


def look_up(name: str) -> list[Address]:
    """Every address of the name, as the system knows it. Raises NoGateway where there is none."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise NoGateway(f"{name} has no address ({why}): is it spelt right, and is there a name server?") from error
    return [_plain(ip_address(str(sockaddr[0]).partition("%")[0])) for *_, sockaddr in found]


class NameLookup:
    """Looks one name up. `timeout`: in seconds."""

    def __init__(self, name: str, timeout: float, look_up: LookUp = look_up) -> None:
        self._name = name
        self._look_up = look_up
        self._timeout = timeout
        self._running: Future[Sequence[Address]] | None = None

    def addresses(self) -> Sequence[Address]:
        """Every address. Raises NoGateway where there is none, GatewayTimeout where that takes too long."""
        if self._running is None or self._running.done():
            self._running = Future()
            threading.Thread(target=self._settle, args=(self._running,), name=self._name, daemon=True).start()
        wait((self._running,), self._timeout)
        if not self._running.done():
            raise GatewayTimeout(f"{self._name} could not be looked up within {self._timeout:g} s: is the network up?")
        return self._running.result()

    def _settle(self, lookup: "Future[Sequence[Address]]") -> None:
        try:
            lookup.set_result(self._look_up(self._name))
        except Exception as error:  # noqa: BLE001  # raised again where it can be reported
            lookup.set_exception(error)


def _plain(address: Address) -> Address:
    """`::ffff:192.0.2.1` is an IPv4 address."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
