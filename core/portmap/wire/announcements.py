"""Listens for a protocol's announcements on a daemon thread of its own, and has each verified. Both IP versions.

Law: announcements are a bonus. What cannot be heard is logged once and costs nobody anything; what is heard is
hostile, so a flood leads to one verification a second and to a few looks at the sockets, which stay small. The thread
sleeps until something comes, and is gone as soon as the listener is closed.
"""

import logging
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

from portmap.errors import Garbled
from portmap.model import Address
from portmap.wire import multicast
from portmap.wire.exchange import Peer, Receive
from portmap.wire.waiter import Waiter, WaiterClosed

log = logging.getLogger("portmap.wire")

A = TypeVar("A", bound=Address)

REST = 1.0  # seconds of rest after a verification, whoever may be flooding us
_NONSENSE = 0.1  # seconds of rest after a look that found nothing: a flood of that must not keep us busy either
_SHOWN = 64


class AnnouncementListener:
    """Hears what is announced at `addresses`, (group, port) each, from the moment it is made until `close`.

    `expected` tells whose announcements count, `understand` reads one: it raises Garbled for what is none. After
    `delay()` seconds `verify` is called with the sender and with the way to receive there, which ends (HungUp) when
    the listener is closed. All are called on the thread. A `rest` in seconds follows; what comes meanwhile is looked
    at after it.
    """

    def __init__(
        self,
        addresses: Sequence[Peer],
        expected: Callable[[], Collection[A]],
        understand: Callable[[bytes], object],
        verify: Callable[[A, Receive], None],
        delay: Callable[[], float],
        rest: float = REST,
    ) -> None:
        self._expected = expected
        self._understand = understand
        self._verify: Callable[[Any, Receive], None] = verify  # of what `expected` gives: the two belong together
        self._delay = delay
        self._rest = rest
        self._ears: dict[socket.socket, str] = {
            ear: group for group, port in addresses if (ear := multicast.open_multicast_socket(group, port))
        }
        self._faced: set[Address | int] = set()
        self._line = Waiter()
        self._thread = threading.Thread(target=self._run, name="portmap announcements", daemon=True)
        self._thread.start()

    def join_towards(self, gateway: Address) -> None:
        """Join the groups on the network that leads to the gateway. Linux hears all hosts' groups without."""
        network = multicast.interface_towards(gateway)
        if network is not None and network not in self._faced:
            self._faced.add(network)
            for ear, group in self._ears.items():
                multicast.join_group(ear, group, network)

    def close(self) -> None:
        """End the thread, which closes what it holds. A second time does nothing."""
        self._line.close()
        if self._thread is not threading.current_thread():  # as when an alert leads to the end of the watch
            self._thread.join()

    def _run(self) -> None:
        with ExitStack() as held, suppress(WaiterClosed):
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

    def _heard(self) -> set[Address]:
        """Who announced something since the last look, of those whose word counts."""
        expected = {multicast.with_numeric_zone(address): address for address in self._expected()}
        announced = ((sender, datagram) for ear in self._ears for sender, datagram in multicast.read_datagrams(ear))
        return {
            expected[sender]
            for sender, datagram in announced
            if sender in expected and self._reads(expected[sender], datagram)
        }

    def _reads(self, sender: Address, datagram: bytes) -> bool:
        try:
            announcement = self._understand(datagram)
        except Garbled as error:
            log.debug("ignored, announced by %s: %s: %s", sender, datagram[:_SHOWN].hex(), error)
            return False
        log.debug("<- %s announced by %s: %s", datagram[:_SHOWN].hex(), sender, announcement)
        return True
