"""STUN (RFC 8489): learns the external address from a server that the user names.

backend      the backend `stun`
server_poll  asks several servers at once
"""

from portmap.wire.stun.servers import Server
from portmap_stun.backend import Stun

__all__ = ["Server", "Stun"]
