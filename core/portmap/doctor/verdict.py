"""What a verdict is."""

from dataclasses import dataclass
from enum import IntEnum


class Outcome(IntEnum):
    """What it comes to for a script: the exit codes of the command, which README lists."""

    FINE = 0
    FAULT = 1
    NO_GATEWAY = 3
    REFUSED = 4
    CONFLICT = 5
    UNREACHABLE = 8
    PLUGIN = 9


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, in one word for programs and in words for people; `next_steps` are to be tried in that order."""

    code: str
    title: str
    explanation: str
    next_steps: tuple[str, ...] = ()
    outcome: Outcome = Outcome.FINE
