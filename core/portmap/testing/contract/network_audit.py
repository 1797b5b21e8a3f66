"""Whether something is sent to the network, as Python's own audit events tell (PEP 578).

It changes nothing. C code that opens sockets of its own is not noticed.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

_EVENTS = frozenset(
    f"socket.{call}"
    for call in ("bind", "connect", "getaddrinfo", "gethostbyaddr", "gethostbyname", "getnameinfo", "sendmsg", "sendto")
)


@dataclass(slots=True)
class NetworkAudit:
    """`heard`: the calls, in words. `deaf_to`: threads that were there before, whose calls are not ours."""

    deaf_to: frozenset[int | None]
    heard: list[str] = field(default_factory=list)


_audits: list[
    NetworkAudit
] = []  # a process-wide thing, as the audit hook is: it can be added once and never be removed


def other_threads() -> frozenset[int | None]:
    """Every thread but this one."""
    return frozenset(thread.ident for thread in threading.enumerate()) - {threading.get_ident()}


@contextmanager
def network_calls(deaf_to: frozenset[int | None] | None = None) -> Iterator[list[str]]:
    """What this thread, and those that begin meanwhile, ask of the network; `deaf_to`: threads not to listen to."""
    _listen()
    audit = NetworkAudit(other_threads() if deaf_to is None else deaf_to)
    _audits.append(audit)
    try:
        yield audit.heard
    finally:
        _audits.remove(audit)


def network_calls_of(work: Callable[[], object]) -> list[str]:
    """What the work asks of the network, every time: what it asks once in three was another thread's."""
    heard, others = [], other_threads()
    for _ in range(3):
        with network_calls(others) as calls:
            work()
        if not calls:
            return []
        heard = calls
    return heard


@cache
def _listen() -> None:
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if not _audits or event not in _EVENTS:
        return
    for audit in _audits:
        if threading.get_ident() not in audit.deaf_to:
            audit.heard.append(f"{event}{arguments[1:]}")
