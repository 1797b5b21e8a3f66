"""NoStatusFile: in place of a `StatusFile` where there is no state folder; importing it imports nothing of that."""

from collections.abc import Iterable

from portmap.events import Event
from portmap.model import Key, PortRequest


class NoStatusFile:
    """The status of a session that no other program can see."""

    def add(self, requests: Iterable[PortRequest], *, ipv6: bool) -> None:
        """Nothing is noted."""

    def apply(self, event: Event) -> None:
        """Nothing is noted."""

    def remove(self, key: Key) -> None:
        """Nothing is noted."""

    def write(self) -> None:
        """Nothing is written."""

    def close(self) -> None:
        """Nothing is removed."""
