"""For everybody's tests: a simulated router that misbehaves on command."""

from portmap.testing.heard import Heard
from portmap.testing.loopback import loopback_address
from portmap.testing.quirks import Quirks
from portmap.testing.router import Router
from portmap.testing.table import Entry

__all__ = ["Entry", "Heard", "Quirks", "Router", "loopback_address"]
