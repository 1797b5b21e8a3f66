"""NoServiceManager: in place of a `ServiceReporter` where no service manager has started us; and which of them it is.

Apart from `portmap.cli.hold.service_manager`, which takes 2 ms to import: few commands run under a service manager.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from portmap.events import Event
from portmap.model import Key

if TYPE_CHECKING:
    from portmap.cli.hold.service_manager import ServiceReporter

VARIABLES = {"NOTIFY_SOCKET", "WATCHDOG_USEC"}  # sd_notify(3), sd_watchdog_enabled(3)


class NoServiceManager:
    """Tells nothing to anybody."""

    watchdog_interval: float | None = None

    def expect(self, session: str, keys: Iterable[Key]) -> None:
        """Nothing is told."""

    def forget(self, session: str) -> None:
        """Nothing is told."""

    def apply(self, session: str, event: Event) -> None:
        """Nothing is told."""

    def send(self) -> None:
        """Nothing is told."""

    def reloading(self) -> None:
        """Nothing is told."""

    def reloaded(self) -> None:
        """Nothing is told."""

    def stopping(self) -> None:
        """Nothing is told."""

    def send_watchdog(self) -> None:
        """Nothing is told."""


def service_reporter() -> "ServiceReporter | NoServiceManager":
    """What tells the service manager of this process how the sessions are doing."""
    if not VARIABLES & os.environ.keys():
        return NoServiceManager()
    from portmap.cli.hold.service_manager import ServiceReporter, systemd_notifier  # noqa: PLC0415  # see above

    return ServiceReporter(systemd_notifier())
