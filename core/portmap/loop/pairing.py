"""Ports that must agree: TCP's with UDP's (`/both`), the one outside with the one inside (`follow`).

Law: pure. Says after each grant which mapping to move, if any, and when it is enough; nothing is moved here. A gateway
that never gives one port for both is asked for a few others, then left in peace, and the reason told.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from portmap.loop.lease import MAX_MOVES, Lease
from portmap.model import MAX_PORT, Key

MAX_PLAIN_MOVES = 4  # of a pair, or to make outside and inside one; then it stays as it is
FIRST_FRESH = 49152  # to 65535: nobody registers these, so they are free most likely (RFC 6335 §6)


@dataclass(frozen=True, slots=True)
class PortMove:
    """The mapping of this key is to be had elsewhere: this external port, leading to that inner one."""

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
    """A lease that is to be asked for, wishing for what its partner holds. What may be open somewhere is left there."""
    if lease.held or lease.may_be_held or not other.held:
        return lease
    return replace(lease, requested_port=other.external_port, target_port=other.target_port)


def next_move(lease: Lease, other: Lease | None, spread: float, taken: Collection[int] = ()) -> PortMove | None:
    """What to try next, now that the lease was granted; None: nothing.

    `other`: its partner, if any. `spread`, uniform in 0..1, chooses fresh ports. `taken`: see `busy`.
    """
    if lease.static:
        return None
    tries = lease.moves + (other.moves if other else 0)
    fresh = min(FIRST_FRESH + int(spread * (MAX_PORT + 1 - FIRST_FRESH)), MAX_PORT)
    if move := _move_to_second_choice(lease) or _move_for_follow(lease, tries, fresh, taken):
        return move
    return _move_for_pair(lease, other, tries, fresh) if other else None


def settled(lease: Lease, other: Lease | None) -> tuple[Lease, ...]:
    """The lease, and its partner if any, where no move is left; what is not as it should be is noted."""
    note = _verdict(lease, other)
    if other is None:
        return (_noted(lease, note, agreed=True),)
    return _noted(lease, note, agreed=other.held), _noted(aligned_with(other, lease), note, agreed=other.held)


def _move_to_second_choice(lease: Lease) -> PortMove | None:
    """Where neither the wanted port nor the one that it had before was given: the latter, once."""
    if lease.request.paired or lease.second_choice in (0, lease.external_port):
        return None
    if lease.external_port == lease.request.wish:
        return None
    return PortMove(lease.key, lease.second_choice, lease.target_port)


def _move_for_follow(lease: Lease, tries: int, fresh: int, taken: Collection[int]) -> PortMove | None:
    """Make the external port the inner one, too, then a fresh one both; in vain, go back to the internal port."""
    if lease.ports_agree:
        return None
    if tries < MAX_PLAIN_MOVES:
        port = fresh if tries >= MAX_PLAIN_MOVES // 2 or lease.external_port in taken else lease.external_port
        return PortMove(lease.key, port, port)
    asked = lease.request.internal_port
    return PortMove(lease.key, lease.external_port, asked) if lease.target_port != asked else None


def _move_for_pair(lease: Lease, other: Lease, tries: int, fresh: int) -> PortMove | None:
    """First to the port that the other has just got; then both to a fresh one, the lease before its partner."""
    limit = MAX_MOVES if lease.request.follow and not lease.nominal else MAX_PLAIN_MOVES
    if not _apart(lease, other) or tries >= limit:
        return None
    if tries == limit - 2 and not lease.nominal:
        same = lease.request.follow and lease.ports_agree
        return PortMove(lease.key, fresh, fresh if same else lease.target_port)
    return PortMove(other.key, lease.external_port, lease.target_port)


def _apart(lease: Lease, other: Lease) -> bool:
    return other.held and not other.static and other.external_port != lease.external_port


def _verdict(lease: Lease, other: Lease | None) -> str:
    """What is not as it should be, for people; empty where all is well."""
    faults = []
    if not lease.ports_agree:
        faults.append(f"the gateway maps no port to itself: let the application listen on {lease.target_port}")
    if other and _apart(lease, other):
        tcp, udp = sorted((lease, other), key=lambda half: half.key)
        has = f"{tcp.key[0]} has {tcp.external_port} and {udp.key[0]} {udp.external_port}"
        faults.append(f"{has}: the gateway gave no common port")
    return "; ".join(faults)


def _noted(lease: Lease, note: str, *, agreed: bool) -> Lease:
    """With the note; where all is well the moves count no more."""
    return replace(lease, note=note, moves=0 if agreed and not note else lease.moves, second_choice=0)
