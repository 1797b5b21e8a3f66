"""All leases, and which of them needs attention first: a heap, so that many leases cost no more than few.

Law: the book decides nothing; it holds values and knows their order. An entry of the heap that is no longer a lease's
latest is passed over when it comes up.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count

from portmap.loop.lease import Lease
from portmap.model import Key

SLACK = 64  # outdated entries that are not worth a clean-up


class LeaseTable:
    """Leases by their key, and by when they wake."""

    def __init__(self) -> None:
        self._leases: dict[Key, Lease] = {}
        self._ticket: dict[Key, int] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._tickets = count()

    def __iter__(self) -> Iterator[Lease]:
        return iter(tuple(self._leases.values()))

    def __contains__(self, key: Key) -> bool:
        return key in self._leases

    def get(self, key: Key) -> Lease | None:
        """The lease of that key."""
        return self._leases.get(key)

    def put(self, lease: Lease) -> None:
        """Enter a lease, or what has become of it."""
        ticket = next(self._tickets)
        self._leases[lease.key] = lease
        self._ticket[lease.key] = ticket
        heappush(self._heap, (lease.wake_at, ticket, lease.key))
        if len(self._heap) > 2 * len(self._leases) + SLACK:
            self._clean()

    def remove(self, key: Key) -> None:
        """Strike a lease out."""
        del self._leases[key], self._ticket[key]

    def next_due(self) -> Lease | None:
        """The lease that wakes first; of several, the one entered first."""
        while self._heap:
            _, ticket, key = self._heap[0]
            if self._ticket.get(key) == ticket:
                return self._leases[key]
            heappop(self._heap)
        return None

    def _clean(self) -> None:
        self._heap = [entry for entry in self._heap if self._ticket.get(entry[2]) == entry[1]]
        heapify(self._heap)
