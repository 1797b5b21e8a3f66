"""Receives a protocol's announcements on a daemon thread of its own, and has each verified. Both IP versions.

Rules:
- Announcements only help: where a group cannot be joined, that is logged, and nothing fails.
- Anybody on the link can send one, so it only leads to a question to the gateway: once a second at the most, and ever
  less often where nothing comes of it.
- The thread sleeps until something comes, and has ended when `close` returns.
"""

import logging
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack, suppress
from math import inf
from typing import Any, TypeAlias, TypeVar

from portmap.errors import Garbled
from portmap.model import Address
from portmap.wire import multicast
from portmap.wire.exchange import Peer, Receive
from portmap.wire.token_bucket import TokenBucket
from portmap.wire.waiter import Waiter, WaiterClosed

log = logging.getLogger("portmap.wire")

A = TypeVar("A", bound=Address)
Verify: TypeAlias = Callable[[A, frozenset[int], Receive], None]

REST = 1.0  # seconds of rest after a verification, also while the announcements are a flood
_LONGEST_REST = 60.0  # seconds of rest after many verifications in a row that found nothing
_REPEATED_FOR = 128.0  # seconds in which a gateway announces a restart ten times: RFC 6886 §3.2.1, RFC 6887 §14.1.1
_REST_AFTER_GARBAGE = 0.1  # seconds of rest after datagrams that announce nothing: a flood of those costs little, too
_MAX_EPOCHS = 16  # epochs kept of other senders; a router has a few addresses
_SHOWN = 64  # bytes of a datagram that the log shows
_ALERTS_AT_ONCE = 10  # a gateway announces itself ten times: RFC 6886 §3.2.1, RFC 6887 §14.1.1
_ALERT_INTERVAL = 60.0  # seconds
SAME_EPOCH = 3.0  # seconds; what is announced is verified within 1.25 s, and an epoch is a whole number


class AlertBudget:
    """How often an announcement that the gateway's own epoch does not prove may lead to a question, or to an alert.

    Some gateways lose their state and keep their epoch, so such an announcement counts; but anybody on the link can
    send one. `now` is in seconds. Any thread calls `alerted`, the thread of the listener the others.
    """

    def __init__(self) -> None:
        self._bucket = TokenBucket(_ALERTS_AT_ONCE, _ALERT_INTERVAL)
        self._alerted_at = self._proven_at = self._unproven_at = -inf
        self._rest = REST

    def alerted(self, now: float, *, proven: bool = True) -> None:
        """Note that an alert was given. `proven`: the gateway itself has told the reason, and may announce it again."""
        self._alerted_at = now
        if proven:
            self._proven_at = now
        else:
            self._note_unproven(now, self._rest)

    def allows(self, now: float) -> bool:
        """Whether there may be such an alert now: none was given within a second, and there were not too many."""
        if now - self._alerted_at < REST:
            return False
        if self._bucket.take(now):
            return True
        self.asked_in_vain(now)
        return False

    def asked_in_vain(self, now: float) -> None:
        """Note that nothing came of a question, so the announcement may have been forged."""
        if now - self._proven_at >= _REPEATED_FOR:
            self._note_unproven(now, min(2 * self._rest, _LONGEST_REST))

    def rest(self, now: float) -> float:
        """The seconds until the next question about an announcement."""
        return self._rest if self._is_in_a_row(now) else REST

    def _note_unproven(self, now: float, rest: float) -> None:
        self._rest = rest if self._is_in_a_row(now) else REST
        self._unproven_at = now

    def _is_in_a_row(self, now: float) -> bool:
        return now - self._unproven_at < 2 * _LONGEST_REST


class AnnouncementListener:
    """Receives what is announced at `addresses`, (group, port) each, from the moment it is made until `close`.

    `expected` gives the gateways whose announcements count. `parse` returns the epoch that a datagram announces, or
    raises Garbled. `verify` is called after `delay()` seconds with the gateway to ask, with the epochs that other
    addresses of its link announced (none if it announced something itself), and with the function to receive its
    answer by, which raises WaiterClosed once the listener is closed. Other addresses count only while exactly one
    gateway is expected: a router may announce itself by another address than its clients know. All are called on the
    thread. `rest()` seconds follow; what comes meanwhile is verified after it. `interface`: what comes by another one
    is not received.
    """

    def __init__(
        self,
        addresses: Sequence[Peer],
        expected: Callable[[], Collection[A]],
        parse: Callable[[bytes], int],
        verify: Verify[A],
        delay: Callable[[], float],
        rest: Callable[[], float] = lambda: REST,
        interface: str | None = None,
    ) -> None:
        self._interface = interface
        self._expected = expected
        self._parse = parse
        self._verify: Verify[Any] = verify  # of what `expected` gives: the two belong together
        self._delay = delay
        self._rest = rest
        self._sockets: dict[socket.socket, str] = {
            sock: group
            for group, port in addresses
            if (sock := multicast.open_multicast_socket(group, port, interface))
        }
        self._joined: set[Address | int] = set()
        self._waiter = Waiter()
        self._thread = threading.Thread(target=self._run, name="portmap announcements", daemon=True)
        self._thread.start()

    def join_towards(self, gateway: Address) -> None:
        """Join the groups on the network that leads to the gateway. Linux receives 224.0.0.1 without."""
        network = multicast.interface_towards(gateway, self._interface)
        if network is not None and network not in self._joined:
            self._joined.add(network)
            for sock, group in self._sockets.items():
                multicast.join_group(sock, group, network)

    def close(self) -> None:
        """End the thread, which closes its sockets. A second time does nothing."""
        self._waiter.close()
        if self._thread is not threading.current_thread():  # as when an alert leads to the end of the watch
            self._thread.join()

    def _run(self) -> None:
        with ExitStack() as held, suppress(WaiterClosed):
            held.enter_context(self._waiter)
            for sock in self._sockets:
                held.enter_context(sock)
            while True:
                self._waiter.wait(self._sockets)
                self._waiter.wait(timeout=self._rest() if self._handle_received() else _REST_AFTER_GARBAGE)

    def _handle_received(self) -> bool:
        """Have what was received verified; False if it announced nothing."""
        announced = self._announced()
        if announced:
            self._waiter.wait(timeout=self._delay())
            for gateway, epochs in self._announced().items():  # what came meanwhile is answered by the same question
                announced[gateway] = _both(announced.get(gateway, epochs), epochs)
            for gateway, epochs in announced.items():
                self._verify(gateway, epochs, self._waiter.receive)
        return bool(announced)

    def _announced(self) -> dict[Any, frozenset[int]]:
        """Which gateways to ask, with the epochs that other addresses announced since the last look."""
        expected = {multicast.with_numeric_zone(address): address for address in self._expected()}
        by_itself: dict[Any, frozenset[int]] = {}
        others: set[int] = set()
        for sender, datagram in (item for sock in self._sockets for item in multicast.read_datagrams(sock)):
            known = sender in expected
            if not known and (len(expected) != 1 or len(others) >= _MAX_EPOCHS or sender.is_global):
                continue
            epoch = self._epoch_of(sender, datagram)
            if epoch is not None and known:
                by_itself[expected[sender]] = frozenset()
            elif epoch is not None:
                others.add(epoch)
        if others and not by_itself:
            return dict.fromkeys(expected.values(), frozenset(others))
        return by_itself

    def _epoch_of(self, sender: Address, datagram: bytes) -> int | None:
        try:
            epoch = self._parse(datagram)
        except Garbled as error:
            log.debug("ignored, announced by %s: %s: %s", sender, datagram[:_SHOWN].hex(), error)
            return None
        log.debug("<- %s announced by %s: epoch %d", datagram[:_SHOWN].hex(), sender, epoch)
        return epoch


def _both(first: frozenset[int], second: frozenset[int]) -> frozenset[int]:
    """The epochs of other addresses in two looks; none if the gateway announced something itself in either."""
    return first | second if first and second else frozenset()
