"""The NAT-PMP backend of portmap: `pmp`, `natpmp` or `nat-pmp`, each with an optional `:GATEWAY`."""

from portmap_natpmp.backend import NatPmp
from portmap_natpmp.exchange import Patience

__all__ = ["NatPmp", "Patience"]
