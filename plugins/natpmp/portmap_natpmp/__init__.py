"""The NAT-PMP backend of portmap: `pmp`, `natpmp` or `nat-pmp`, each with an optional `:GATEWAY`."""

from portmap.wire import Patience
from portmap_natpmp.backend import NatPmp

__all__ = ["NatPmp", "Patience"]
