"""A limit for what others can cause: so often at once, then once in so many seconds. Pure."""


class TokenBucket:
    """Holds up to `capacity` tokens, and gets one back every `interval` seconds. One thread owns it."""

    def __init__(self, capacity: int, interval: float) -> None:
        self._capacity = capacity
        self._interval = interval
        self._tokens = float(capacity)
        self._counted_at: float | None = None

    def take(self, now: float) -> bool:
        """Take a token; False if there is none. `now` in seconds, of a clock that never goes back."""
        since = 0.0 if self._counted_at is None else now - self._counted_at
        self._tokens = min(self._tokens + since / self._interval, self._capacity)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
