"""The limits for one input: CPU time and memory.

Only the parser's own work counts. Time is this thread's CPU time, so a busy machine or another test's thread does
not matter much; what looks slow all the same is tried again, and the least of all tries is the verdict.
"""

import gc
import time
import tracemalloc

from tests.fuzz.targets import Target

SECONDS = 0.05
BYTES = 10_000_000
_TRIES = 4


def cpu_seconds(target: Target, data: bytes) -> float:
    """The CPU time of one input; the least of several tries where the first is over the bar."""
    least = _once(target, data)
    for _ in range(_TRIES):
        if least <= SECONDS:
            break
        gc.collect()  # garbage of other tests may fall due within our time
        least = min(least, _once(target, data))
    return least


def peak_bytes(target: Target, data: bytes) -> int:
    """The most memory that one input holds at a time, the input itself not counted. Slow: tracing costs."""
    tracemalloc.start()
    try:
        target.try_out(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _once(target: Target, data: bytes) -> float:
    began = time.thread_time()
    target.try_out(data)
    return time.thread_time() - began
