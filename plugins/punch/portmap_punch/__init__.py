"""Hole punching: keeps a port open through a NAT that cannot be asked.

argument   `punch:ARGUMENT`
backend    the backend `punch`
endpoint   do the servers agree; pure
engine     one thread with an event loop for all openings
opening    a hole, its keep-alive, and the way to the application
redirect   `?forward=nft`: the kernel hands packets on
stun_connection  a TCP connection to a STUN server that stays
tcp_hole   a TCP port, kept by a connection that stays
tcp_relay  connections of peers to the application
udp_hole   a UDP port, kept by questions
udp_relay  datagrams of peers to the application
"""

from portmap_punch.backend import Punch

__all__ = ["Punch"]
