"""What protocols over UDP share, for plugins: one question to one peer, several peers at once, announcements.

Law: nothing here knows a protocol; bytes are the plugin's. No OSError comes out of here.
"""

from portmap.wire.announcements import AnnouncementListener
from portmap.wire.exchange import Peer, Question, Receive, Timeouts, exchange, receive
from portmap.wire.fan_out import first_good
from portmap.wire.waiter import Waiter, WaiterClosed

__all__ = [
    "AnnouncementListener",
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
