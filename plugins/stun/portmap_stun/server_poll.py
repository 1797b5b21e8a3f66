"""Asks several STUN servers at once for our address.

All of it, looking up names included, is over within `timeout` seconds. While an earlier question to a server is stuck,
as in a name's lookup, that server is not asked again.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from portmap.errors import GatewayTimeout, NATError, NoGateway, Refused
from portmap.model import Address
from portmap.wire import FanOut, Peer, Timeouts, exchange
from portmap.wire.stun.message import BindingRequest, Refusal
from portmap.wire.stun.servers import Server, look_up

log = logging.getLogger("portmap.stun")

SPEAKS = "STUN"
TIMEOUT = 4.0  # seconds in all
FIRST_WAIT = 0.5  # seconds before a server is asked again, doubled: RFC 8489 §6.2.1
LONGEST_WAIT = 1.0  # seconds; the RFC's own waits would let too few packets into so short a time
SPARE = 0.1  # seconds before the end in which a server's last answer, be it garbage, still counts
MOMENT = 0.05  # seconds that the others have to agree with the first, or not
_SHOWN = 100  # letters of a server's own words

LookUp: TypeAlias = Callable[[Server], Sequence[Peer]]


class ServerPoll:
    """Asks the servers, again and again, by the interface if one is given. `look_up` is for tests."""

    def __init__(
        self,
        servers: Sequence[Server],
        timeout: float = TIMEOUT,
        look_up: LookUp = look_up,
        interface: str | None = None,
    ) -> None:
        self._interface = interface
        self._servers = servers
        self._timeout = timeout
        self._look_up = look_up
        self._earlier: list[FanOut[Server, Address]] = []  # in which a server is still being asked

    def ask(self) -> dict[Server, Address]:
        """The first good answer, and those that come in the moment after it, in that order.

        Raises Refused if a server said no and none answered, else NoGateway or GatewayTimeout.
        """
        end = time.monotonic() + self._timeout
        answers: dict[Server, Address] = {}
        failures: dict[Server, NATError] = {server: self._silent(server) for server in self._servers}
        self._earlier = [fan_out for fan_out in self._earlier if fan_out.busy]
        free = [server for server in self._servers if not any(server in fan_out.busy for fan_out in self._earlier)]
        fan_out = FanOut(free, lambda server: self._ask(server, end), SPEAKS, until=end)
        self._earlier.append(fan_out)
        for server, outcome in fan_out:
            if isinstance(outcome, NATError):
                log.debug("%s does not help: %s", server, outcome)
                failures[server] = outcome
            else:
                answers[server] = outcome
                fan_out.until = min(fan_out.until, time.monotonic() + MOMENT)
        if not answers:
            raise _verdict(failures)
        return answers

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
        timeouts = Timeouts(FIRST_WAIT, end - SPARE - time.monotonic(), LONGEST_WAIT)
        try:
            answer = exchange(peer, BindingRequest(), timeouts, speaks=SPEAKS, interface=self._interface)
        except GatewayTimeout as error:
            raise self._silent(server) from error
        if isinstance(answer, Refusal):
            words = f"{answer.code} {answer.text[:_SHOWN]}".strip()
            raise Refused(f"{server} refuses to tell: {words}: try another server", code=answer.code, text=answer.text)
        return answer.address

    def _silent(self, server: Server) -> GatewayTimeout:
        """The same words, whatever it was that took so long."""
        return GatewayTimeout(f"no {SPEAKS} answer from {server} within {self._timeout:g} s")


def _verdict(failures: Mapping[Server, NATError]) -> NATError:
    """The most telling of the failures."""
    said = list(failures.values())
    refused = next((failure for failure in said if isinstance(failure, Refused)), None)
    if refused is not None or len(said) == 1:
        return refused or said[0]
    return NoGateway(f"no {SPEAKS} server helps: " + "; ".join(map(str, said)))
