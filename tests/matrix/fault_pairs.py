"""Two faults at once: all pairs of some that concern every backend, for a while each.

Data only. What is promised of a pair is what is promised of its worse half.
"""

from itertools import combinations

from tests.matrix.events import moves
from tests.matrix.outcomes import Holds, NotApplicable
from tests.matrix.rows import Happening, Row, Story

from portmap.testing import Router

INTERVAL = 20.0  # seconds between two looks at the gateway: until then a reboot may be unknown
UNLUCKY = 30.0  # seconds more, if the packets that would tell are lost
FAULTS: dict[str, tuple[Happening, ...]] = {
    "loss": (),
    "duplicate": (),
    "conflict": (),
    "other_port": (),
    "caps_lifetime": (),
    "epoch_reset": (),
    "(reboot)": ((50, Router.reboot),),
    "(another address)": ((70, moves),),
}


def _row(one: str, other: str) -> Row:
    story = Story(span=150, ip_interval=INTERVAL, happenings=FAULTS[one] + FAULTS[other])
    reboots, loses = "(reboot)" in (one, other), "loss" in (one, other)
    holds = Holds(INTERVAL * reboots + UNLUCKY * (reboots and loses))
    once = NotApplicable("as it does without the other")
    return Row(holds, once, holds, once, holds, once, once, holds, story=story)


PAIRS = {f"{one} + {other}": _row(one, other) for one, other in combinations(FAULTS, 2)}
