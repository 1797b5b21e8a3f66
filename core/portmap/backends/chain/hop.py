"""Hop: one gateway of a chain, its outer address as last told, and its place in every error.

Hops: all of them, and those that are in use: beyond a public address `auto` looks for nothing.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from portmap.backends.chain.next_gateway import NextGatewayNat
from portmap.backends.nat import Nat
from portmap.errors import SILENCE, NATError, NoGateway, PluginError
from portmap.gateway_names import gateway_address
from portmap.model import CALL_DEADLINE, Address, Scope, scope_of

MARGIN = 0.5  # seconds of a call's deadline that remain for the chain itself
LEAST = 0.5  # seconds that every hop is given, however long the others took


class TimeLeft:
    """The time that the hops share in one call of a hook."""

    def __init__(self, seconds: float = CALL_DEADLINE - MARGIN) -> None:
        self._end = time.monotonic() + seconds

    def seconds(self, most: float = CALL_DEADLINE) -> float:
        """What is left for the next hop, `most` at the most."""
        return min(most, max(LEAST, self._end - time.monotonic()))


class Hop:
    """The gateway `number` of `count`, counted from this host outwards; `inner` is the one before it.

    `address` is its outer address, as last told; None where that is not known, or may have changed. The next hop maps
    to it. Any thread may set it to None; only the thread of the hooks sets it to an address. `is_found`: it was not
    named, but is looked for where there has to be one.
    """

    def __init__(self, nat: Nat, number: int, count: int, inner: "Hop | None") -> None:
        self.nat = nat
        self.number = number
        self.inner = inner
        self.is_found = isinstance(nat, NextGatewayNat)
        self.address: Address | None = None
        self.is_silent = False
        """Whether the last call got no answer."""
        self._place = f"hop {number} of {count}"

    def __str__(self) -> str:
        return str(self.nat)

    @contextmanager
    def place_told(self) -> Iterator[None]:
        """Around a call: an error of this hop's gateway says at which hop it is."""
        try:
            yield
            self.is_silent = False
        except (NATError, PluginError) as error:
            self.is_silent = isinstance(error, SILENCE)
            who = str(self.nat)
            place = self._place if who in str(error) else f"{self._place}, {who}"
            error.args = (f"{place}: {error}", *error.args[1:])
            raise

    def check_is_beyond(self) -> None:
        """Raises NoGateway where the hop before it found this very gateway: then there is nothing beyond."""
        ours = gateway_address(str(self.nat))
        if self.inner is not None and ours and ours == gateway_address(str(self.inner.nat)):
            raise NoGateway(f"{self.nat} is hop {self.inner.number} as well: name the one beyond it, or say auto")

    @property
    def is_needed(self) -> bool:
        """Whether the way out leads through it, as far as is known."""
        is_public = self.inner is not None and scope_of(self.inner.address) is Scope.PUBLIC
        return not (self.is_found and is_public) and (self.inner is None or self.inner.is_needed)

    def tell_inner_address(self) -> None:
        """Have the search for this gateway know the outer address of the one before."""
        if self.inner is not None and isinstance(self.nat, NextGatewayNat):
            self.nat.tell_inner_address(self.inner.address)

    def change_address(self, address: Address) -> bool:
        """Keep the outer address; whether another one was known."""
        before, self.address = self.address, address
        return before not in (None, address)

    @property
    def evidence(self) -> tuple[str, ...]:
        """What is known of it, for people."""
        outer = f", outer address {self.address}" if self.address else ""
        return (f"hop {self.number}: {self.nat}{outer}", *(f"hop {self.number}: {it}" for it in self.nat.evidence()))


class Hops:
    """The hops of a chain, from this host outwards."""

    def __init__(self, nats: Sequence[Nat]) -> None:
        self.all: tuple[Hop, ...] = ()
        for number, nat in enumerate(nats, 1):
            self.all += (Hop(nat, number, len(nats), self.all[-1] if self.all else None),)

    @property
    def in_use(self) -> tuple[Hop, ...]:
        """Those that the way out leads through, as far as is known."""
        return tuple(hop for hop in self.all if hop.is_needed)

    @property
    def listener(self) -> Hop | None:
        """The outermost hop, if no gateway forwards there, but its backend itself listens at a port of this host."""
        return self.all[-1] if self.all[-1].nat.listens_itself else None

    @property
    def outermost(self) -> Hop:
        """The last one in use."""
        return self.in_use[-1]
