"""Which of several candidates speaks NAT-PMP: ask them all at once, the first good answer wins.

Law: nothing is remembered here, least of all a failure. Each candidate is asked on a daemon thread of its own; the
threads share nothing but the queue of outcomes, and end by themselves at their exchange's deadline.
"""

import logging
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from queue import SimpleQueue
from threading import Thread
from typing import TypeAlias, TypeVar

from portmap.errors import NATError, NoGateway, Refused

log = logging.getLogger("portmap.natpmp")

T = TypeVar("T")
Outcomes: TypeAlias = SimpleQueue[tuple[IPv4Address, T | Exception]]


def first_good(candidates: Sequence[IPv4Address], ask: Callable[[IPv4Address], T]) -> tuple[IPv4Address, T]:
    """The first candidate that gives `ask` a good answer, and that answer.

    Raises Refused if somebody speaks NAT-PMP but said no, else NoGateway, which names everybody asked and why not.
    """
    outcomes: Outcomes[T] = SimpleQueue()
    for candidate in candidates:
        Thread(target=_put_outcome, args=(outcomes, candidate, ask), name=f"natpmp-{candidate}", daemon=True).start()
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
    raise _verdict(failures)


def _put_outcome(outcomes: Outcomes[T], candidate: IPv4Address, ask: Callable[[IPv4Address], T]) -> None:
    """Ask one. Whatever happens there is an outcome, a bug too: somebody waits for it."""
    try:
        outcomes.put((candidate, ask(candidate)))
    except Exception as error:  # noqa: BLE001  # raised again where it can be reported
        outcomes.put((candidate, error))


def _verdict(failures: Sequence[NATError]) -> NATError:
    """The most telling of the failures: a refusal proves that there is a gateway."""
    for failure in failures:
        if isinstance(failure, Refused):
            return failure
    if not failures:
        return NoGateway("no gateway to ask: the routing table names none; give its address, as in pmp:192.168.1.1")
    return NoGateway("no NAT-PMP gateway found: " + "; ".join(map(str, failures)))
