"""What protocols over UDP share, for plugins: one question to one peer, several peers at once, announcements.

Law: nothing here knows a protocol; bytes are the plugin's. No OSError comes out of here.
"""

from portmap.wire.announcements import Listener
from portmap.wire.exchange import Patience, Peer, Question, Receive, exchange, receive
from portmap.wire.fan_out import first_good
from portmap.wire.waiter import HungUp, Line

__all__ = [
    "HungUp",
    "Line",
    "Listener",
    "Patience",
    "Peer",
    "Question",
    "Receive",
    "exchange",
    "first_good",
    "receive",
]
