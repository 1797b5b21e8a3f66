"""How the loop behaves: the numbers that its owner may choose."""

from dataclasses import dataclass
from enum import Enum

from portmap.model import CALL_DEADLINE


class OnConflict(Enum):
    """What to do where the gateway gives another external port than was asked for."""

    NEXT = "next"
    """Take it: it is announced, and published."""
    FAIL = "fail"
    """Give it back: the mapping has failed with a Conflict, and is tried again."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Times are in seconds. `clean_up` bounds the deleting of everything held, in all."""

    ip_interval: float = 60.0
    call_deadline: float = CALL_DEADLINE
    clean_up: float = 2.0
    on_conflict: OnConflict = OnConflict.NEXT
