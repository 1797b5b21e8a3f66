"""What can come of a backend and a router: the outcomes that the table promises, and what was seen.

Values only. `allows` says whether what was seen is what the table promises.
"""

from dataclasses import dataclass
from typing import TypeAlias

SUGGESTED_PORT = 30303  # the external port that is asked for, unless a row says otherwise
LEASE = 600  # the lifetime, likewise
RIGHT = ""  # the address that it is: the router's external one, or for a pinhole our own


@dataclass(frozen=True, slots=True)
class Works:
    """Bytes from outside arrive, by TCP and by UDP.

    `same`: on the external port that was asked for. `lifetime`: what was granted, 0 for ever. `address`: the external
    address that was given, or the name of the error in its place.
    """

    same: bool = True
    lifetime: int = LEASE
    address: str = RIGHT

    def __str__(self) -> str:
        port = "" if self.same else " on another port"
        lease = {LEASE: "", 0: ", permanent"}.get(self.lifetime, f", {self.lifetime} s")
        address = "" if self.address == RIGHT else f", address: {self.address}"
        return f"works{port}{lease}{address}"


@dataclass(frozen=True, slots=True)
class Raises:
    """No mapping: exactly this error came, in time."""

    error: type[Exception]

    def __str__(self) -> str:
        return self.error.__name__


@dataclass(frozen=True, slots=True)
class Deceived:
    """The router says yes and no bytes arrive; the reason why the backend cannot know."""

    reason: str = ""

    def __str__(self) -> str:
        return "deceived" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Holds:
    """The loop holds the port: it was in the router's table all the time but for so many seconds at the most at a
    stretch, bytes arrive in the end, and nothing is left after a stop.
    """

    gap: float = 0.0

    def __str__(self) -> str:
        return f"holds, gap under {self.gap:.0f} s" if self.gap >= 1 else "holds"


@dataclass(frozen=True, slots=True)
class Lost:
    """The loop did not hold the port; how it ended, or where that is known beforehand, why."""

    how: str

    def __str__(self) -> str:
        return f"LOST: {self.how}"


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The quirk is one of something that this backend does not do."""

    reason: str

    def __str__(self) -> str:
        return "-"


@dataclass(frozen=True, slots=True)
class Either:
    """It depends on who wins the race."""

    outcomes: tuple["Outcome", ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.outcomes))


Outcome: TypeAlias = Works | Raises | Deceived | Holds | Lost | NotApplicable | Either


def one_of(*outcomes: Outcome) -> Either:
    """One of these."""
    return Either(outcomes)


def allows(expected: Outcome, seen: Outcome) -> bool:
    """Whether the table promises what was seen."""
    match expected, seen:
        case Either(outcomes), _:
            return any(allows(one, seen) for one in outcomes)
        case Holds(most), Holds(gap):
            return gap <= most + 1  # a second for what really takes time
        case (Deceived(), Deceived()) | (Lost(), Lost()):
            return True
    return expected == seen


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen: the outcome, and whatever else matters in every cell.

    `slowest`: seconds that the slowest hook took. `lured`: visits to the trap. `touched`: whether the neighbour's
    mapping is another now. `left`: how many of our mappings are left after the end.
    """

    outcome: Outcome
    slowest: float
    lured: int
    touched: bool
    left: int
