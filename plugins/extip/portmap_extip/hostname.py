"""A host's name, looked up again whenever it is asked for its address.

A lookup may hang, so it is made on a daemon thread, with a time limit; while one hangs no other is begun.
Raises portmap errors only.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from portmap.errors import GatewayTimeout, NoGateway
from portmap.model import Address

LookUp: TypeAlias = Callable[[str], Sequence[Address]]

TIMEOUT = 4.0  # seconds; below the core's deadline for a call


def look_up(name: str) -> list[Address]:
    """Every address of the name, as the system knows it. Raises NoGateway where there is none."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise NoGateway(f"{name} has no address ({why}): is it spelt right, and is there a name server?") from error
    return [_plain(ip_address(str(sockaddr[0]).partition("%")[0])) for *_, sockaddr in found]


class Hostname:
    """`look_up` and `timeout`, in seconds, are for tests."""

    def __init__(self, name: str, look_up: LookUp = look_up, timeout: float = TIMEOUT) -> None:
        self._name = name
        self._look_up = look_up
        self._timeout = timeout
        self._lookup: Future[Sequence[Address]] | None = None
        self._last: Address | None = None

    def address(self) -> Address:
        """The address now: IPv4 rather than IPv6, and of several the one that it was before.

        Raises NoGateway if there is none that others could reach, GatewayTimeout if that could not be found out.
        """
        found = self._found()
        usable = [address for address in found if _is_usable(address)]
        choice = [address for address in usable if address.version == 4] or usable
        if not choice:
            told = ", ".join(sorted(set(map(str, found)))) or "nothing"
            raise NoGateway(f"{self._name} is {told}, where no other host reaches you: mend its entry, or /etc/hosts")
        if self._last is None or self._last not in choice:  # name servers change the order at will
            self._last = choice[0]
        return self._last

    def _found(self) -> Sequence[Address]:
        if self._lookup is None or self._lookup.done():
            self._lookup = Future()
            threading.Thread(target=self._settle, args=(self._lookup,), name=self._name, daemon=True).start()
        wait((self._lookup,), self._timeout)
        if not self._lookup.done():
            raise GatewayTimeout(f"{self._name} could not be looked up within {self._timeout:g} s: is the network up?")
        return self._lookup.result()

    def _settle(self, lookup: "Future[Sequence[Address]]") -> None:
        try:
            lookup.set_result(self._look_up(self._name))
        except Exception as error:  # noqa: BLE001  # raised again where it can be reported
            lookup.set_exception(error)


def _plain(address: Address) -> Address:
    """`::ffff:192.0.2.1` is an IPv4 address."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_usable(address: Address) -> bool:
    """Whether another host could reach us at this address."""
    no_host = address.is_unspecified or address.is_multicast or address == IPv4Address("255.255.255.255")
    return not (no_host or address.is_loopback or address.is_link_local)
