"""The STUN backend of portmap (RFC 8489): learns the external address from servers outside, opens nothing."""

from portmap_stun.argument import Server
from portmap_stun.backend import Stun

__all__ = ["Server", "Stun"]
