"""What peers say our UDP endpoint is, and what follows from it. Pure; `now` is in milliseconds of any one clock.

Each reporting host has one vote, its latest, which runs out. The constants and rules are those of go-ethereum
(p2p/netutil/iptrack.go, p2p/enode/localnode.go).
"""

from collections import Counter
from typing import Generic, NamedTuple, TypeVar

from portmap.model import Address

MIN_STATEMENTS = 10  # localnode.go: iptrackMinStatements
WINDOW = 5 * 60 * 1000  # ms; localnode.go: iptrackWindow
CONTACT_WINDOW = 10 * 60 * 1000  # ms; localnode.go: iptrackContactWindow

T = TypeVar("T")


class ObservedEndpoint(NamedTuple):
    """An address and a port, as a host outside sees them."""

    ip: Address
    port: int


class IPTracker:
    """Counts what each host says. Both windows are milliseconds; the defaults are go-ethereum's."""

    def __init__(
        self, min_statements: int = MIN_STATEMENTS, window: int = WINDOW, contact_window: int = CONTACT_WINDOW
    ) -> None:
        self._min_statements = min_statements
        self._statements = _Recent[ObservedEndpoint](window)
        self._contacts = _Recent[None](contact_window)

    def __len__(self) -> int:
        """How many hosts are remembered, those not yet swept out included."""
        return len(self._statements) + len(self._contacts)

    def statement(self, host: Address, endpoint: ObservedEndpoint, now: int) -> None:
        """Note that `host` sees us at `endpoint`; what it said before no longer counts."""
        self._statements.record(host, endpoint, now)

    def contact(self, host: Address, now: int) -> None:
        """Note that we have sent something to `host`."""
        self._contacts.record(host, None, now)

    def predict(self, now: int) -> ObservedEndpoint | None:
        """The endpoint that most hosts agree on, if they are enough; among equals, the one that was named first."""
        votes = Counter(endpoint for endpoint, _ in self._statements.current(now).values())
        best = max(votes, key=votes.__getitem__, default=None)
        return best if best is not None and votes[best] >= self._min_statements else None

    def full_cone(self, now: int) -> bool:
        """Whether a host reached us before we had contacted it: such a NAT lets all hosts in."""
        contacts = self._contacts.current(now)
        return any(
            host not in contacts or contacts[host][1] > said_at
            for host, (_, said_at) in self._statements.current(now).items()
        )


class _Recent(Generic[T]):
    """The last word of each host, for `window` milliseconds.

    Swept at every reading, and once a window by the writing, so that memory is bounded without a reader.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._swept = 0
        self._said: dict[Address, tuple[T, int]] = {}

    def __len__(self) -> int:
        return len(self._said)

    def record(self, host: Address, word: T, now: int) -> None:
        self._said[host] = word, now
        if now - self._swept >= self._window:
            self._sweep(now)

    def current(self, now: int) -> dict[Address, tuple[T, int]]:
        self._sweep(now)
        return self._said

    def _sweep(self, now: int) -> None:
        self._swept = now
        self._said = {host: said for host, said in self._said.items() if said[1] >= now - self._window}
