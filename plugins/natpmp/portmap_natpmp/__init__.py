"""NAT-PMP (RFC 6886), and ProtonVPN, which speaks it.

announcement   announcements; pure
argument       `pmp:ARGUMENT`
backend        the backend `pmp`
epoch          has the gateway lost its state?; pure
mapped_host    whether NAT-PMP can map to a host; pure
observation    what the gateway last answered, and what a difference means
packets        RFC 6886 packets; pure
protonvpn      the backend `protonvpn`
restart_watch  RestartWatch: epochs and announcements -> alerts
results        result code -> error; pure
"""

from portmap.wire import Timeouts
from portmap_natpmp.backend import NatPmp

__all__ = ["NatPmp", "Timeouts"]
