"""The PCP backend of portmap (RFC 6887): `pcp`, with an optional `:GATEWAY`; its IPv6 side opens pinholes."""

from portmap_pcp.backend import Pcp
from portmap_pcp.pinholes import PcpPinholes
from portmap_pcp.settings import Settings

__all__ = ["Pcp", "PcpPinholes", "Settings"]
