"""Tells the service manager how the sessions are doing: that they have started, what holds, and that we live.

Started means that every mapping was tried once, whatever came of it: a service that waits for a gateway to come up
has started. The watchdog is fed by who asks for `beat`, and only while all sessions live: no thread of ours feeds it.

What a service tells its manager: systemd's protocol (sd_notify(3)), spoken by us.

The texts are pure; `Notifier` only sends them. Telling never blocks and never raises: a manager that does not
listen costs nothing. Where no manager asks, nothing is sent.
"""

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, Self

from portmap.cli.hold.summary import Summary
from portmap.events import Event
from portmap.model import Key


class SystemdNotifier(NamedTuple):
    """The way to the manager: a socket's name, empty for none, and the watchdog's seconds, None where there is none."""

    address: str = ""
    watchdog: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> Self:
        """What the manager asks of the process `pid`; a variable that makes no sense is logged and left out."""
        address = environment.get("NOTIFY_SOCKET", "")
        if address and address[0] not in "/@":
            _log.warning("NOTIFY_SOCKET %r is neither a path nor an abstract name: no messages are sent", address)
            address = ""
        return cls(address, _watchdog(environment, pid))

    def send(self, text: str) -> None:
        """Send one message."""
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as mouth:
                mouth.setblocking(False)
                mouth.sendto(text.encode(errors="replace"), name)
        except (OSError, ValueError) as error:
            _log.debug("%s does not listen: %s", self.address, error)


class ServiceReporter:
    """The service manager's view of the sessions. `notifier` may lead nowhere; then this costs next to nothing."""

    def __init__(self, notifier: SystemdNotifier, clock: Callable[[], float] = time.monotonic) -> None:
        self._notifier = notifier
        self._clock = clock
        self._summary = Summary()
        self._told = ""
        self._ready = False

    @property
    def watchdog_interval(self) -> float | None:
        """The seconds between two beats: half of the watchdog's, as sd_watchdog_enabled(3) asks; None: no watchdog."""
        return None if self._notifier.watchdog is None else self._notifier.watchdog / 2

    def expect(self, session: str, keys: Iterable[Key]) -> None:
        """A session begins, with these mappings, or is given more of them."""
        self._summary.add(session, keys)

    def forget(self, session: str) -> None:
        """A session has ended."""
        self._summary.remove(session)
        self.send()

    def apply(self, session: str, event: Event) -> None:
        """A session has told something."""
        self._summary.apply(session, event)
        self.send()

    def send(self) -> None:
        """Say what is new, if anything is."""
        line = self._summary.line()
        if not self._ready and self._summary.is_settled:
            self._ready = True
            self._notifier.send(ready(line))
        elif line != self._told:
            self._notifier.send(status_is(line))
        self._told = line

    def reloading(self) -> None:
        """The configuration is read again."""
        self._notifier.send(reloading(self._clock()))

    def reloaded(self) -> None:
        """The new configuration holds, or the old one still does."""
        self._ready = True
        self._told = self._summary.line()
        self._notifier.send(ready(self._told))

    def stopping(self) -> None:
        """The end has begun."""
        self._notifier.send(STOPPING)

    def send_watchdog(self) -> None:
        """We live."""
        self._notifier.send(WATCHDOG)


_log = logging.getLogger("portmap.notify")

LONGEST_WATCHDOG = 86_400.0  # seconds: a message more often than asked for does no harm, and no clock overflows
MAX_STATUS = 200  # characters; a line of `systemctl status`
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def ready(status: str) -> str:
    """Started, or reloaded."""
    return f"READY=1\n{status_is(status)}"


def reloading(monotonic: float) -> str:
    """About to read the configuration again; `monotonic` is now, in seconds (since systemd 253 it is asked for)."""
    return f"RELOADING=1\nMONOTONIC_USEC={int(monotonic * 1_000_000)}"


def status_is(status: str) -> str:
    """One line for people; a line end in it would begin another assignment."""
    line = "".join(letter if letter.isprintable() else " " for letter in status)
    return f"STATUS={line[:MAX_STATUS]}"


def systemd_notifier() -> SystemdNotifier:
    """The one of this process."""
    return SystemdNotifier.from_environment(os.environ, os.getpid())


def _watchdog(environment: Mapping[str, str], pid: int) -> float | None:
    """WATCHDOG_USEC in seconds, a day at most, if it is for us (WATCHDOG_PID, sd_watchdog_enabled(3))."""
    microseconds, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not microseconds or (whose and whose != str(pid)):
        return None
    if not (microseconds.isascii() and microseconds.isdigit() and int(microseconds[:18])):
        _log.warning("WATCHDOG_USEC %r is no number of microseconds: no watchdog messages are sent", microseconds)
        return None
    return min(int(microseconds[:18]) / 1_000_000, LONGEST_WATCHDOG)
