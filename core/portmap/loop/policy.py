"""How the loop behaves: the numbers that its owner may choose. Pure."""

import logging
from enum import Enum
from typing import NamedTuple

from portmap.model import CALL_DEADLINE

CHECK_INTERVAL = 60.0  # seconds; a restart of the gateway that nothing shows is then found within two checks, 120 s


class OnConflict(Enum):
    """What to do where the gateway gives another external port than was asked for."""

    NEXT = "next"
    """Take it: it is announced, and published."""
    FAIL = "fail"
    """Give it back: the mapping has failed with a Conflict, and is tried again."""


class Policy(NamedTuple):
    """Times are in seconds.

    `ip_interval`: between two checks of the gateway. A check asks for the external address and for one mapping in turn.
    `call_deadline`: for one call to the backend. `clean_up`: for deleting everything held at the end, in all.
    `allow_private`: an address that the user gave is announced even where it cannot be reached from outside.
    `optional`: these ports are a bonus that the user did not ask for, as IPv6 beside IPv4.
    """

    ip_interval: float = CHECK_INTERVAL
    call_deadline: float = CALL_DEADLINE
    clean_up: float = 2.0
    on_conflict: OnConflict = OnConflict.NEXT
    allow_private: bool = False
    optional: bool = False

    @property
    def trouble_level(self) -> int:
        """The log level of a failure."""
        return logging.DEBUG if self.optional else logging.WARNING
