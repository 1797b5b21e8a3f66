"""What the doctor found to be wrong, for people and for scripts. Values only."""

from dataclasses import dataclass
from enum import IntEnum


class Outcome(IntEnum):
    """The exit code of `portmap doctor`; the codes are listed in docs/reference.md."""

    FINE = 0
    FAULT = 1
    NO_GATEWAY = 3
    REFUSED = 4
    CONFLICT = 5
    UNREACHABLE = 8
    PLUGIN = 9


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong: a code for programs, a title and an explanation for people. `next_steps`: to be tried in turn."""

    code: str
    title: str
    explanation: str
    next_steps: tuple[str, ...] = ()
    outcome: Outcome = Outcome.FINE
