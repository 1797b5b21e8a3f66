"""A loopback address for each simulated router, so that many use the fixed ports side by side.

127.0.0.0/8 only. Where the system has just 127.0.0.1 (macOS, the BSDs) that is the answer, and ports must differ.
"""

import os
import socket
from contextlib import closing

ONLY = "127.0.0.1"


def loopback_address() -> str:
    """A random address in 127.0.0.0/8 that this host can listen on, else 127.0.0.1."""
    second, third, fourth = os.urandom(3)
    address = f"127.{second or 1}.{third}.{max(1, min(fourth, 254))}"
    return address if _is_ours(address) else ONLY


def _is_ours(address: str) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
