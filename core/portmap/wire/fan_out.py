"""Which of several candidates speaks the protocol: ask them all at once, the first good answer wins.

Law: nothing is remembered here, least of all a failure. Each candidate is asked on a daemon thread of its own; the
threads share nothing but the queue of outcomes, and end by themselves at their exchange's deadline.
"""

import logging
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias, TypeVar

from portmap.errors import NATError, NoGateway, Refused
from portmap.model import Address

log = logging.getLogger("portmap.wire")

T = TypeVar("T")
A = TypeVar("A", bound=Address)
Outcomes: TypeAlias = SimpleQueue[tuple[A, T | Exception]]


def first_good(candidates: Sequence[A], ask: Callable[[A], T], *, speaks: str) -> tuple[A, T]:
    """The first candidate that gives `ask` a good answer, and that answer. `speaks` names the protocol in errors.

    Raises Refused if somebody speaks the protocol but said no, else NoGateway, which names everybody asked and why not.
    """
    outcomes: Outcomes[A, T] = SimpleQueue()
    for candidate in candidates:
        Thread(target=_put_outcome, args=(outcomes, candidate, ask), name=f"{speaks} {candidate}", daemon=True).start()
    failures: list[NATError] = []
    for _ in candidates:
        candidate, outcome = outcomes.get()
        if isinstance(outcome, NATError):
            failures.append(outcome)
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            log.debug("%s answered first, of %d asked", candidate, len(candidates))
            return candidate, outcome
    raise _verdict(failures, speaks)


def _put_outcome(outcomes: Outcomes[A, T], candidate: A, ask: Callable[[A], T]) -> None:
    """Ask one. Whatever happens there is an outcome, a bug too: somebody waits for it."""
    try:
        outcomes.put((candidate, ask(candidate)))
    except Exception as error:  # noqa: BLE001  # raised again where it can be reported
        outcomes.put((candidate, error))


def _verdict(failures: Sequence[NATError], speaks: str) -> NATError:
    """The most telling of the failures: a refusal proves that there is a gateway."""
    for failure in failures:
        if isinstance(failure, Refused):
            return failure
    if not failures:
        return NoGateway("no gateway to ask: the routing table names none; give its address, as in pmp:192.168.1.1")
    return NoGateway(f"no {speaks} gateway found: " + "; ".join(map(str, failures)))
