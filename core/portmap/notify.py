"""What a service tells its manager: systemd's protocol (sd_notify(3)), spoken by us.

Law: the texts are pure; `Notifier` only sends them. Telling never blocks and never raises: a manager that does not
listen costs nothing. Where no manager asks, nothing is sent.
"""

import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_log = logging.getLogger("portmap.notify")

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


@dataclass(frozen=True, slots=True)
class Notifier:
    """The way to the manager: a socket's name, empty for none, and the watchdog's seconds, None where there is none."""

    address: str = ""
    watchdog: float | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> Self:
        """What the manager asks of the process `pid`; a variable that makes no sense is logged and left out."""
        address = environment.get("NOTIFY_SOCKET", "")
        if address and address[0] not in "/@":
            _log.warning("NOTIFY_SOCKET %r is neither a path nor an abstract name: nothing is told", address)
            address = ""
        return cls(address, _watchdog(environment, pid))

    def tell(self, text: str) -> None:
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


def notifier_here() -> Notifier:
    """The one of this process."""
    return Notifier.from_environment(os.environ, os.getpid())


def _watchdog(environment: Mapping[str, str], pid: int) -> float | None:
    """WATCHDOG_USEC in seconds, if it is for us (WATCHDOG_PID, sd_watchdog_enabled(3))."""
    microseconds, whose = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not microseconds or (whose and whose != str(pid)):
        return None
    if not (microseconds.isascii() and microseconds.isdigit() and int(microseconds[:18])):
        _log.warning("WATCHDOG_USEC %r is no number of microseconds: no watchdog is fed", microseconds)
        return None
    return int(microseconds[:18]) / 1_000_000
