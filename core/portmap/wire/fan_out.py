"""Asks several candidates at once, each on a daemon thread of its own, and hands out the answers as they come.

Nothing is remembered here. The threads share nothing but a queue, and end by themselves at the deadline of what they
do.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

from portmap.errors import NATError, NoGateway, Refused
from portmap.network.interface import describe_no_route

log = logging.getLogger("portmap.wire")

T = TypeVar("T")
C = TypeVar("C")

GRACE = 0.5  # seconds that a preferred candidate has to answer after another one did: two packets of RFC 6886 §3.1


class FanOut(Generic[C, T]):
    """Asks all candidates when it is made. Iterate, once, for each candidate with its answer or NATError.

    The iteration ends when all have answered, or at `until` on the monotonic clock, which may be changed meanwhile.
    It raises what `ask` raised, if that is no NATError. `busy` are the candidates that are still being asked, also
    after the iteration: a thread may live for a moment after its outcome is out.
    """

    def __init__(self, candidates: Sequence[C], ask: Callable[[C], T], name: str, until: float = inf) -> None:
        self.until = until
        self.busy = set(candidates)
        self._count = len(self.busy)
        self._ask = ask
        self._outcomes: SimpleQueue[tuple[C, T | Exception]] = SimpleQueue()
        for candidate in dict.fromkeys(candidates):  # in their order
            Thread(target=self._run, args=(candidate,), name=f"{name} {candidate}", daemon=True).start()

    def __iter__(self) -> Iterator[tuple[C, T | NATError]]:
        for _ in range(self._count):
            try:
                candidate, outcome = self._outcomes.get(timeout=self._left())
            except Empty:
                return
            if isinstance(outcome, Exception) and not isinstance(outcome, NATError):
                raise outcome
            yield candidate, outcome

    def _left(self) -> float | None:
        return None if self.until == inf else max(0.0, self.until - time.monotonic())

    def _run(self, candidate: C) -> None:
        outcome: T | Exception
        try:
            outcome = self._ask(candidate)
        except Exception as error:  # noqa: BLE001  # raised again by the iteration, where it can be reported
            outcome = error
        self.busy.discard(candidate)  # first: who has the outcome may ask the candidate again at once
        self._outcomes.put((candidate, outcome))


def first_good(
    candidates: Sequence[C],
    ask: Callable[[C], T],
    *,
    speaks: str,
    grace: float = GRACE,
    interface: str | None = None,
) -> tuple[C, T]:
    """The best candidate that gives `ask` a good answer, and that answer. Errors name the protocol and the interface.

    Candidates are given best first. After a good answer the better ones have `grace` seconds to answer, too.
    Raises Refused if a candidate speaks the protocol but said no, else NoGateway, which names all and why not.
    """
    order = list(dict.fromkeys(candidates))
    outcomes = FanOut(order, ask, speaks)
    failures: list[NATError] = []
    pending = set(order)
    best: tuple[C, T] | None = None
    for candidate, outcome in outcomes:
        pending.discard(candidate)
        if isinstance(outcome, NATError):
            failures.append(outcome)
        elif best is None or order.index(candidate) < order.index(best[0]):
            log.debug("%s answered, of %d asked", candidate, len(order))
            best = candidate, outcome
            outcomes.until = min(outcomes.until, time.monotonic() + grace)
        if best is not None and not pending.intersection(order[: order.index(best[0])]):
            break
    if best is None:
        raise _most_telling(failures, speaks, interface)
    return best


def _most_telling(failures: Sequence[NATError], speaks: str, interface: str | None) -> NATError:
    """A refusal, if there is one: it proves that there is a gateway."""
    for failure in failures:
        if isinstance(failure, Refused):
            return failure
    if not failures:
        why = "the routing table names none" if interface is None else describe_no_route(interface)
        return NoGateway(f"no gateway to ask: {why}; give its address, as in pmp:192.168.1.1")
    return NoGateway(f"no {speaks} gateway found: " + "; ".join(map(str, failures)))
