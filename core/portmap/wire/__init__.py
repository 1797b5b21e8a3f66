"""Tools for plugins that speak on the network: one UDP exchange, a fan-out, announcements, HTTP.

announcements  AnnouncementListener: a thread that receives and verifies announcements
exchange       one UDP question to one peer, with retransmission and a deadline
fan_out        ask several candidates at once, take the first good answer
http           one bounded HTTP exchange, and one request to a site that the user named
multicast      sockets that receive multicast announcements
site           Site: a URL that the user wrote, taken apart, and whom to trust there
waiter         Waiter: wait for sockets or time, woken or ended by another thread
stun/          STUN messages
"""

from portmap.wire.announcements import AnnouncementListener
from portmap.wire.exchange import Peer, Question, Receive, Timeouts, exchange, receive
from portmap.wire.fan_out import FanOut, first_good
from portmap.wire.waiter import Waiter, WaiterClosed

__all__ = [
    "AnnouncementListener",
    "FanOut",
    "Peer",
    "Question",
    "Receive",
    "Timeouts",
    "Waiter",
    "WaiterClosed",
    "exchange",
    "first_good",
    "receive",
]
