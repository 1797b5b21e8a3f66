"""Durations as people write them: 90, 90s, 10m, 2h, 1h30m, 1d. Pure."""

import re
import time

from portmap.errors import SpecError

DAY = 86400
YEAR = 365 * DAY


_FORM = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9})s?)?", re.ASCII)
_SECONDS = (86400, 3600, 60, 1)


def parse_duration(text: str, what: str, *, longest: int) -> int:
    """The seconds that a text stands for, 1 to `longest`. Raises SpecError; `what` names the option at fault."""
    parts = _FORM.fullmatch(text)
    if not text or parts is None:
        raise SpecError(f"{what} {text!r} is no duration: write 90s, 10m, 2h or 1h30m")
    seconds = sum(int(part or 0) * unit for part, unit in zip(parts.groups(), _SECONDS, strict=True))
    if not 1 <= seconds <= longest:
        raise SpecError(f"{what} {text!r} is out of range: use 1s to {format_duration(longest)}")
    return seconds


def format_duration(seconds: int) -> str:
    """The shortest exact way to write it: 600 -> 10m, 5400 -> 1h30m."""
    parts = []
    for unit, letter in zip(_SECONDS, "dhms", strict=True):
        count, seconds = divmod(seconds, unit)
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0s"


def format_lifetime(seconds: int | None) -> str:
    """A lease's lifetime for people: a duration, or `permanent` for 0 or None."""
    return format_duration(seconds) if seconds else "permanent"


def clock_time(at: float) -> str:
    """Unix time in seconds as the local time of day, to the second."""
    return time.strftime("%H:%M:%S", time.localtime(at))
