"""RepairStep: what may repair a mapping that is listed and forwards nothing. Values only."""

from enum import Enum


class RepairStep(Enum):
    """One step; the words say what is done with the mapping."""

    RENEW = "asked for again"
    REOPEN = "deleted and asked for again"
    MOVE = "asked for at another external port"
