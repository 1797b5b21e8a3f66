"""Hop: one gateway of a chain, its outer address as last told, and its place in every error."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from portmap.backends.nat import Nat
from portmap.errors import SILENCE, NATError, NoGateway, PluginError
from portmap.host.claims import gateway_address
from portmap.model import CALL_DEADLINE, Address

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
    to it. Any thread may set it to None; only the thread of the hooks sets it to an address.
    """

    def __init__(self, nat: Nat, number: int, count: int, inner: "Hop | None") -> None:
        self.nat = nat
        self.number = number
        self.inner = inner
        self.is_last = number == count
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
            raise NoGateway(f"{self.nat} is hop {self.inner.number} as well: name the one beyond it")

    def change_address(self, address: Address) -> bool:
        """Keep the outer address; whether another one was known."""
        before, self.address = self.address, address
        return before not in (None, address)

    @property
    def evidence(self) -> tuple[str, ...]:
        """What is known of it, for people."""
        outer = f", outer address {self.address}" if self.address else ""
        return (f"hop {self.number}: {self.nat}{outer}", *(f"hop {self.number}: {it}" for it in self.nat.evidence()))
