"""Ports that must agree: TCP's with UDP's (`/both`), the external with the internal one (`follow`). Pure.

After each grant this says which mapping to move, if any; nothing is moved here. A gateway that never gives one port
for both is asked for a few others (PAIR_STEPS, FOLLOW_STEPS). Then the ports stay as they are, and the reason is told.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from enum import Enum, auto
from typing import NamedTuple

from portmap.loop.lease import MAX_MOVES, Lease
from portmap.model import MAX_PORT, Key

FIRST_FRESH = 49152  # to 65535: not registered by any service, so free most likely (RFC 6335 §6)


class Step(Enum):
    """One try to have equal ports."""

    JOIN = auto()
    """Ask for the port that the other one has."""
    FRESH = auto()
    """Ask for a port drawn by chance."""


PAIR_STEPS = (Step.JOIN, Step.JOIN, Step.FRESH, Step.JOIN)  # of TCP and UDP together, in this order
PAIR_STEPS_WHEN_FOLLOWING = (*[Step.JOIN] * 6, Step.FRESH, Step.JOIN)  # each half may first need two moves of its own
PAIR_STEPS_WHEN_NOMINAL = (Step.JOIN,) * 4  # the gateway draws the port whatever is asked for
FOLLOW_STEPS = (Step.JOIN, Step.JOIN, Step.FRESH, Step.FRESH)  # to make the internal port the external one


class PortMove(NamedTuple):
    """The mapping of this key is to be opened elsewhere: at this external port, leading to this internal one."""

    key: Key
    external_port: int
    inner_port: int


def partner(lease: Lease, companion: Lease | None) -> Lease | None:
    """The companion, if the two want one external port."""
    if companion is None or not (lease.request.paired and companion.request.paired):
        return None
    return companion if lease.request.follow == companion.request.follow else None


def ports_in_use(lease: Lease, leases: Iterable[Lease]) -> set[int]:
    """The internal ports of our other mappings, which a lease that follows must not take."""
    own = lease.key, lease.companion
    return {other.target_port for other in leases if other.key not in own} if lease.request.follow else set()


def aligned_with(lease: Lease, other: Lease) -> Lease:
    """The lease, asking for the port that its partner holds; as it is where it may be open somewhere."""
    if lease.held or lease.doubt.may_be_held or not other.held:
        return lease
    return replace(lease, requested_port=other.external_port, target_port=other.target_port)


def next_move(lease: Lease, other: Lease | None, spread: float, taken: Collection[int] = ()) -> PortMove | None:
    """What to try next, now that the lease was granted; None: nothing.

    `other`: its partner, if any. `spread`, uniform in 0..1, chooses fresh ports. `taken`: see `ports_in_use`.
    """
    if lease.static:
        return None
    tries = lease.pair.moves + (other.pair.moves if other else 0)
    fresh = fresh_port(spread)
    if move := _move_to_second_choice(lease) or _move_for_follow(lease, tries, fresh, taken):
        return move
    return _move_for_pair(lease, other, tries, fresh) if other else None


def settled(lease: Lease, other: Lease | None) -> tuple[Lease, ...]:
    """The lease, and its partner if any, where no move is left; each with a note of what is not as it should be."""
    note = _fault(lease, other)
    if other is None:
        return (_with_note(lease, note, agreed=True),)
    return _with_note(lease, note, agreed=other.held), _with_note(aligned_with(other, lease), note, agreed=other.held)


def fresh_port(spread: float) -> int:
    """A port that no service has registered; `spread`, uniform in 0..1, chooses it."""
    return min(FIRST_FRESH + int(spread * (MAX_PORT + 1 - FIRST_FRESH)), MAX_PORT)


def was_moved(lease: Lease, other: Lease) -> bool:
    """Whether the two came to one port by a move at the gateway."""
    moved = 0 < max(lease.pair.moves, other.pair.moves) < MAX_MOVES
    return moved and other.held and not (lease.nominal or _apart(lease, other))


def _move_to_second_choice(lease: Lease) -> PortMove | None:
    """Where neither the wanted port nor the one that it had before was given: the latter, once."""
    if lease.request.paired or lease.second_choice in (0, lease.external_port):
        return None
    if lease.external_port == lease.request.suggested_port:
        return None
    return PortMove(lease.key, lease.second_choice, lease.target_port)


def _move_for_follow(lease: Lease, tries: int, fresh: int, taken: Collection[int]) -> PortMove | None:
    """Make the external port the internal one, too, then a fresh port both; else go back to the internal port."""
    if lease.ports_agree:
        return None
    if tries < len(FOLLOW_STEPS):
        is_fresh = FOLLOW_STEPS[tries] is Step.FRESH or lease.external_port in taken
        port = fresh if is_fresh else lease.external_port
        return PortMove(lease.key, port, port)
    asked = lease.request.internal_port
    return PortMove(lease.key, lease.external_port, asked) if lease.target_port != asked else None


def _move_for_pair(lease: Lease, other: Lease, tries: int, fresh: int) -> PortMove | None:
    """Move the partner to the port that this one was given; or this one to a fresh port, where the partner joins it."""
    steps = PAIR_STEPS_WHEN_FOLLOWING if lease.request.follow else PAIR_STEPS
    steps = PAIR_STEPS_WHEN_NOMINAL if lease.nominal else steps
    if not _apart(lease, other) or tries >= len(steps):
        return None
    if steps[tries] is Step.FRESH:
        same = lease.request.follow and lease.ports_agree
        return PortMove(lease.key, fresh, fresh if same else lease.target_port)
    return PortMove(other.key, lease.external_port, lease.target_port)


def _apart(lease: Lease, other: Lease) -> bool:
    return other.held and not other.static and other.external_port != lease.external_port


def _fault(lease: Lease, other: Lease | None) -> str:
    """What is not as it should be, for people; empty where the ports agree."""
    faults = []
    if not lease.ports_agree:
        faults.append(f"the gateway maps no port to itself: let the application listen on {lease.target_port}")
    if other and _apart(lease, other):
        tcp, udp = sorted((lease, other), key=lambda half: half.key)
        has = f"{tcp.key.protocol} has {tcp.external_port} and {udp.key.protocol} {udp.external_port}"
        faults.append(f"{has}: the gateway gave no common port")
    return "; ".join(faults)


def _with_note(lease: Lease, note: str, *, agreed: bool) -> Lease:
    """The lease with the note. Where the ports agree, the moves are forgotten."""
    moves = 0 if agreed and not note else lease.pair.moves
    return replace(lease, pair=lease.pair._replace(note=note, moves=moves), second_choice=0)
