"""Tools for plugins that speak on the network: one UDP exchange, a fan-out, announcements, HTTP.

announcements  AnnouncementListener: a thread that receives and verifies announcements; AlertBudget
clock          the clock of leases and epochs
exchange       one UDP question to one peer, with retransmission and a deadline
fan_out        ask several candidates at once; the first good answer, the preferred ones first
http           one bounded HTTP exchange, and one request to a site that the user named
path_probe     which router stands at the n-th place on the way out
multicast      sockets that receive multicast announcements
site           Site: a URL that the user wrote, taken apart, and whom to trust there
token_bucket   TokenBucket: a limit for what others can cause; pure
waiter         Waiter: wait for sockets or time, woken or ended by another thread
stun/          STUN messages
"""

from portmap.wire.announcements import SAME_EPOCH, AlertBudget, AnnouncementListener
from portmap.wire.clock import boottime
from portmap.wire.exchange import Peer, Question, Receive, TimedAnswer, Timeouts, exchange, receive
from portmap.wire.fan_out import FanOut, first_good
from portmap.wire.token_bucket import TokenBucket
from portmap.wire.waiter import Waiter, WaiterClosed

__all__ = [
    "SAME_EPOCH",
    "AlertBudget",
    "AnnouncementListener",
    "FanOut",
    "Peer",
    "Question",
    "Receive",
    "TimedAnswer",
    "Timeouts",
    "TokenBucket",
    "Waiter",
    "WaiterClosed",
    "boottime",
    "exchange",
    "first_good",
    "receive",
]
