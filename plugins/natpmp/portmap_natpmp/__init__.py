"""The NAT-PMP backend of portmap: `pmp`, `natpmp` or `nat-pmp`, each with an optional `:GATEWAY`; and `protonvpn`."""

from portmap.wire import Timeouts
from portmap_natpmp.backend import NatPmp
from portmap_natpmp.protonvpn import ProtonVpn

__all__ = ["NatPmp", "ProtonVpn", "Timeouts"]
