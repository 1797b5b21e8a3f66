"""Listens for a protocol's announcements on a daemon thread of its own, and has each verified.

Law: announcements are a bonus. What cannot be heard is logged once and costs nobody anything; what is heard is
hostile, so a flood leads to one verification a second and to a few looks at the sockets, which stay small. The thread
sleeps until something comes, and is gone as soon as the listener is closed.
"""

import logging
import socket
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address
from typing import TypeAlias

from portmap import gateways
from portmap.errors import Garbled, NoGateway
from portmap.wire.exchange import Peer, Receive
from portmap.wire.line import HungUp, Line

log = logging.getLogger("portmap.wire")

Verify: TypeAlias = Callable[[IPv4Address, Receive], None]

REST = 1.0  # seconds of rest after a verification, whoever may be flooding us
_NONSENSE = 0.1  # seconds of rest after a look that found nothing: a flood of that must not keep us busy either
_LOOK = 1024  # datagrams read at a time at the most; what a socket holds by default is less
_MAX_DATAGRAM = 65535
_SHOWN = 64
# RFC 6886 §3.2.1: the port is for all clients of a host. BSD shares it by the second option, Windows has but the first.
_SHARED = [getattr(socket, name) for name in ("SO_REUSEADDR", "SO_REUSEPORT") if hasattr(socket, name)]


class Listener:
    """Hears what is announced at `addresses`, (group, port) each, from the moment it is made until `close`.

    `expected` tells whose announcements count, `understand` reads one: it raises Garbled for what is none. After
    `delay()` seconds `verify` is called with the sender and with the way to receive there, which ends (HungUp) when
    the listener is closed. All are called on the thread. A `rest` in seconds follows; what comes meanwhile is looked
    at after it.
    """

    def __init__(
        self,
        addresses: Sequence[Peer],
        expected: Callable[[], Collection[IPv4Address]],
        understand: Callable[[bytes], object],
        verify: Verify,
        delay: Callable[[], float],
        rest: float = REST,
    ) -> None:
        self._expected = expected
        self._understand = understand
        self._verify = verify
        self._delay = delay
        self._rest = rest
        self._ears = {ear: IPv4Address(group) for group, port in addresses if (ear := _open(group, port))}
        self._faced: set[IPv4Address] = set()
        self._line = Line()
        self._thread = threading.Thread(target=self._run, name="portmap announcements", daemon=True)
        self._thread.start()

    def face(self, gateway: IPv4Address) -> None:
        """Join the groups on the network that leads to the gateway. Linux hears all hosts' groups without."""
        try:
            ours = gateways.local_address_towards(gateway)
        except NoGateway as error:
            log.debug("announcements may not be heard: %s", error)
            return
        if ours not in self._faced:
            self._faced.add(ours)
            for ear, group in self._ears.items():
                _join(ear, group, ours)

    def close(self) -> None:
        """End the thread, which closes what it holds. A second time does nothing."""
        self._line.hang_up()
        if self._thread is not threading.current_thread():  # as when an alert leads to the end of the watch
            self._thread.join()

    def _run(self) -> None:
        with ExitStack() as held, suppress(HungUp):
            held.enter_context(self._line)
            for ear in self._ears:
                held.enter_context(ear)
            while True:
                self._line.wait(self._ears)
                self._line.wait(timeout=self._rest if self._attend() else _NONSENSE)

    def _attend(self) -> bool:
        """Look what came, and have it verified; False if it was nothing."""
        senders = self._heard()
        if senders:
            self._line.wait(timeout=self._delay())
            for sender in senders | self._heard():  # what came meanwhile is answered by the same question
                self._verify(sender, self._line.receive)
        return bool(senders)

    def _heard(self) -> set[IPv4Address]:
        """Who announced something since the last look, of those whose word counts."""
        expected = self._expected()
        announced = ((sender, datagram) for ear in self._ears for sender, datagram in _datagrams(ear))
        return {sender for sender, datagram in announced if sender in expected and self._reads(sender, datagram)}

    def _reads(self, sender: IPv4Address, datagram: bytes) -> bool:
        try:
            announcement = self._understand(datagram)
        except Garbled as error:
            log.debug("ignored, announced by %s: %s: %s", sender, datagram[:_SHOWN].hex(), error)
            return False
        log.debug("<- %s announced by %s: %s", datagram[:_SHOWN].hex(), sender, announcement)
        return True


def _open(group: str, port: int) -> socket.socket | None:
    """A socket that hears the group's port together with everybody else on this host; None if it cannot be had.

    Bound to the group itself it can take no unicast from a server that shares the port. Windows knows no such thing.
    """
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        ear.setblocking(False)
        for option in _SHARED:
            ear.setsockopt(socket.SOL_SOCKET, option, 1)
        ear.bind(("" if sys.platform == "win32" else group, port))
    except OSError as error:
        ear.close()
        log.info("announcements to %s:%d are not heard: %s", group, port, error)
        return None
    return ear


def _join(ear: socket.socket, group: IPv4Address, ours: IPv4Address) -> None:
    if not group.is_multicast:
        return
    try:
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group.packed + ours.packed)
    except OSError as error:
        log.debug("could not join %s at %s, so its announcements may not be heard: %s", group, ours, error)


def _datagrams(ear: socket.socket) -> Iterator[tuple[IPv4Address, bytes]]:
    """What waits at the socket: sender and content."""
    for _ in range(_LOOK):
        try:
            datagram, (sender, _) = ear.recvfrom(_MAX_DATAGRAM)
        except BlockingIOError:
            return
        except OSError as error:
            log.debug("announcements: %s", error)
            return
        yield IPv4Address(sender), datagram
