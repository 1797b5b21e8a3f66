"""Opens a port with the library, twice in one process, and prints how many milliseconds each took to be mapped."""

import sys
import time

begun = time.monotonic()
import portmap  # noqa: E402  # the import is part of what the first one costs

for port in sys.argv[2:]:
    with portmap.open(sys.argv[1], [port]) as session:
        session.wait(10)
        print((time.monotonic() - begun) * 1e3, flush=True)
    begun = time.monotonic()
