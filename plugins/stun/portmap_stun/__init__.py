"""STUN (RFC 8489): learns the external address from a server that the user names.

argument     `stun:ARGUMENT`
backend      the backend `stun`
server_poll  asks several servers at once
"""

from portmap_stun.argument import Server
from portmap_stun.backend import Stun

__all__ = ["Server", "Stun"]
