"""PCP (RFC 6887): mappings and IPv6 pinholes.

announcement     announcements; pure
argument         `pcp:ARGUMENT`
backend          the backend `pcp`
client           one PCP server: found, asked, judged
epoch            has the server lost its state?; pure
exchanges        the questions to one server, on any thread
mapped_host      the host that a mapping leads to, as a request names it; pure
natpmp_address   NAT-PMP's address question; pure
natpmp_fallback  NatPmpFallback: a server that speaks NAT-PMP only
nonces           one nonce per mapping
observation      what the server last answered, and what a difference means
options          PCP options; pure
packets          RFC 6887 packets; pure
pinholes         its IPv6 side, as a backend
renewal_check    does the server extend what it renews?
restart_watch    RestartWatch: epochs and announcements -> alerts
results          result code -> error; pure
settings         Settings: ports, clock, timeouts
stated_addresses the external address, asked for in NAT-PMP
"""

from portmap_pcp.backend import Pcp
from portmap_pcp.pinholes import PcpPinholes
from portmap_pcp.settings import Settings

__all__ = ["Pcp", "PcpPinholes", "Settings"]
