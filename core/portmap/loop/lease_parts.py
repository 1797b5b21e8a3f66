"""The parts of a lease: what is held, what went wrong, what is in doubt, how it stands to its companion. Pure."""

from math import inf
from typing import NamedTuple

from portmap.model import Address


class Held(NamedTuple):
    """What the gateway holds open. `expires`: on the loop's clock; `static`: nothing was sent."""

    external_port: int
    external_ip: Address | None = None
    lifetime: int = 0
    expires: float = inf
    static: bool = False


class Trouble(NamedTuple):
    """Failures in a row, and the last one: its reason, and its kind (`errors.error_kind`)."""

    failures: int = 0
    reason: str = ""
    kind: str = ""


class Doubt(NamedTuple):
    """What is not known of the gateway.

    `may_be_held`: a call ended without an answer, so it may hold a mapping that we do not know of. `may_be_gone`: it
    may have forgotten the mapping, so if it refuses now, the port is shut.
    """

    may_be_held: bool = False
    may_be_gone: bool = False


class PairState(NamedTuple):
    """TCP and UDP of one port.

    `open_order`: which was opened first, 0: never opened; `companion_asked`: see `renewal_order`. `moves` since the
    ports last agreed, and `note`, why they do not: see `pairing`.
    """

    open_order: int = 0
    companion_asked: bool = False
    moves: int = 0
    note: str = ""


NO_TROUBLE, NO_DOUBT, UNPAIRED = Trouble(), Doubt(), PairState()
