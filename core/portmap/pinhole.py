"""What is announced of IPv6 pinholes: events of their own, for a pinhole is no mapping - nothing is translated.

Law: as in `portmap.events`. The external address is our own global one, the external port our own.
"""

from dataclasses import dataclass
from typing import ClassVar

from portmap.events import PortEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeEvent(PortEvent):
    """Something about one IPv6 pinhole: our own global address, let through the gateway's firewall at this port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeAdded(PinholeEvent):
    """The port is open over IPv6."""

    event: ClassVar[str] = "pinhole.added"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeChanged(PinholeEvent):
    """The port is open elsewhere now: our own address is another, or the port is."""

    event: ClassVar[str] = "pinhole.changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeRenewed(PinholeEvent):
    """The lease was extended; nothing else changed."""

    event: ClassVar[str] = "pinhole.renewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeFailed(PinholeEvent):
    """The gateway would not let the port through; `reason` says why. Announced once a reason, retried for ever."""

    event: ClassVar[str] = "pinhole.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeLost(PinholeEvent):
    """The lease ran out before it could be renewed: the port is shut."""

    event: ClassVar[str] = "pinhole.lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinholeRemoved(PinholeEvent):
    """We are done with the port. With a `reason` the gateway did not confirm: it stays until the lease ends."""

    event: ClassVar[str] = "pinhole.removed"
