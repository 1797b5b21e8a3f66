"""Several servers asked at once for our address.

Law: all of it, looking up names included, is over within `patience` seconds. Each server is asked on a daemon thread of
its own, which ends by itself; while one is stuck, as in a name's lookup, its server is not asked again.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeAlias

from portmap.errors import GatewayTimeout, NATError, NoGateway, Refused
from portmap.model import Address
from portmap.wire import Peer, Timeouts, exchange
from portmap.wire.stun.message import BindingRequest, Refusal
from portmap.wire.stun.servers import Server, look_up

log = logging.getLogger("portmap.stun")

SPEAKS = "STUN"
PATIENCE = 4.0  # seconds in all
FIRST_WAIT = 0.5  # seconds before a server is asked again, doubled: RFC 8489 §6.2.1
LONGEST_WAIT = 1.0  # seconds; the RFC's own waits would let too few packets into so short a time
SPARE = 0.1  # seconds before the end in which a server's last word, be it garbage, is still heard
MOMENT = 0.05  # seconds that the others have to agree with the first, or not
_SHOWN = 100  # letters of a server's own words

LookUp: TypeAlias = Callable[[Server], Sequence[Peer]]
Outcomes: TypeAlias = SimpleQueue[tuple[Server, Address | Exception]]


class ServerPoll:
    """Asks the servers, again and again. `look_up` is for tests."""

    def __init__(self, servers: Sequence[Server], patience: float = PATIENCE, look_up: LookUp = look_up) -> None:
        self._servers = servers
        self._patience = patience
        self._look_up = look_up
        self._threads: dict[Server, Thread] = {}

    def ask(self) -> dict[Server, Address]:
        """The first good answer, and those that come in the moment after it, in that order.

        Raises Refused if a server said no and none answered, else NoGateway or GatewayTimeout.
        """
        end = time.monotonic() + self._patience
        outcomes: Outcomes = SimpleQueue()
        answers: dict[Server, Address] = {}
        failures: dict[Server, NATError] = {server: self._silent(server) for server in self._servers}
        for _ in range(self._start(outcomes, end)):
            try:
                server, outcome = outcomes.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                break
            if isinstance(outcome, NATError):
                log.debug("%s does not help: %s", server, outcome)
                failures[server] = outcome
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                answers[server] = outcome
                end = min(end, time.monotonic() + MOMENT)
        if not answers:
            raise _verdict(failures)
        return answers

    def _start(self, outcomes: Outcomes, end: float) -> int:
        """Send out everybody who is not stuck; how many."""
        free = [server for server in self._servers if not self._is_stuck(server)]
        for server in free:
            self._threads[server] = Thread(
                target=self._put_outcome, args=(outcomes, server, end), name=f"{SPEAKS} {server}", daemon=True
            )
            self._threads[server].start()
        return len(free)

    def _is_stuck(self, server: Server) -> bool:
        return server in self._threads and self._threads[server].is_alive()

    def _put_outcome(self, outcomes: Outcomes, server: Server, end: float) -> None:
        """Ask one. Whatever happens is an outcome, a bug too: somebody waits for it."""
        try:
            outcomes.put((server, self._ask(server, end)))
        except Exception as error:  # noqa: BLE001  # raised again where it can be reported
            outcomes.put((server, error))

    def _ask(self, server: Server, end: float) -> Address:
        """Ask by IPv4; by IPv6 where that cannot be, not where it is merely silent: the answers would alternate."""
        unreachable = NoGateway(f"{server} has no address")
        for peer in self._look_up(server):
            try:
                return self._ask_at(peer, server, end)
            except NoGateway as error:
                unreachable = error
        raise unreachable

    def _ask_at(self, peer: Peer, server: Server, end: float) -> Address:
        patience = Timeouts(FIRST_WAIT, end - SPARE - time.monotonic(), LONGEST_WAIT)
        try:
            answer = exchange(peer, BindingRequest(), patience, speaks=SPEAKS)
        except GatewayTimeout as error:
            raise self._silent(server) from error
        if isinstance(answer, Refusal):
            words = f"{answer.code} {answer.text[:_SHOWN]}".strip()
            raise Refused(f"{server} refuses to tell: {words}: try another server", code=answer.code, text=answer.text)
        return answer.address

    def _silent(self, server: Server) -> GatewayTimeout:
        """The same words, whatever it was that took so long."""
        return GatewayTimeout(f"no {SPEAKS} answer from {server} within {self._patience:g} s")


def _verdict(failures: Mapping[Server, NATError]) -> NATError:
    """The most telling of the failures."""
    said = list(failures.values())
    refused = next((failure for failure in said if isinstance(failure, Refused)), None)
    if refused is not None or len(said) == 1:
        return refused or said[0]
    return NoGateway(f"no {SPEAKS} server helps: " + "; ".join(map(str, said)))
