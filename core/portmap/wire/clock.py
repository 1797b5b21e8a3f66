"""The clock of leases and epochs."""

import time

_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux 2.6.39


def boottime() -> float:
    """Seconds that never jump, and that go on while the machine is suspended, where the system counts those."""
    return time.clock_gettime(_BOOTTIME) if _BOOTTIME is not None else time.monotonic()
