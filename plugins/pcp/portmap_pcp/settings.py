"""What a PCP client does by default, and what those who know better may change: tests, odd networks.

Law: values only.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from portmap.wire import Peer, Timeouts
from portmap_pcp.packets import PORT

_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux 2.6.39


def awake_and_asleep() -> float:
    """Seconds that never jump, and that go on while the machine is suspended, where the system counts those."""
    return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """An announcement heard at one of the addresses `announced_at` is verified after `random()` times `spread` seconds.

    RFC 6887 §8.5 has up to 5 seconds for that, which is for crowds that no home router serves. `announced_at` None:
    wherever PCP servers announce themselves.
    """

    port: int = PORT
    patience: Timeouts = Timeouts()  # noqa: RUF009  # frozen
    clock: Callable[[], float] = awake_and_asleep
    announced_at: Sequence[Peer] | None = None
    spread: float = 0.25
    random: Callable[[], float] = random.random

    def delay(self) -> float:
        """How long to wait before a verification."""
        return self.spread * self.random()
