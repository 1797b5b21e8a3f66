"""Opens a port with the library, twice in one process.

Prints the milliseconds that the import took, then those that each opening took until the port was mapped.
"""

import sys
import time

begun = time.monotonic()
from portmap import open as open_ports  # noqa: E402  # the import is measured

print((time.monotonic() - begun) * 1e3, flush=True)
for port in sys.argv[2:]:
    begun = time.monotonic()
    with open_ports(sys.argv[1], [port]) as session:
        session.wait(10)
        print((time.monotonic() - begun) * 1e3, flush=True)
