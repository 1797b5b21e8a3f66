"""A restart seen by the uptime that GetStatusInfo tells (WANIPConnection:1 §2.4.3.5), at each look; pure.

Law: no false alarms. Some routers tell nonsense, zero or a number that wraps; a restart is only what says that the
uptime began since the last look.
"""

SLACK = 5.0  # seconds that a router's clock may be off between two looks
_MOST = 10 * 365 * 86400  # seconds; more is a negative number as miniupnpc reads it


class UptimeTracker:
    """What was told last, and when."""

    def __init__(self) -> None:
        self._told = 0
        self._at = 0.0

    def restart_seen(self, told: int, now: float) -> str:
        """Take in what is told at `now` (monotonic seconds); why our mappings may be gone, or nothing."""
        before, elapsed = self._told, now - self._at
        if not 0 <= told <= _MOST:
            told = 0
        self._told, self._at = told, now
        if told < before and 0 < told <= elapsed + SLACK:
            return f"has been up for {told} s only, after {before} s"
        return ""
