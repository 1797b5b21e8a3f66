"""How long to wait after a failure: twice as long each time. Pure."""

MAX_DOUBLINGS = 16  # 2 ** 16 s is 18 hours, which every caller cuts; a larger exponent would overflow in the end


def backoff(failures: int, first: float, last: float) -> float:
    """Seconds to wait after a failure that `failures` others in a row preceded: `first`, doubled, at most `last`."""
    return min(first * 2.0 ** min(failures, MAX_DOUBLINGS), last)
