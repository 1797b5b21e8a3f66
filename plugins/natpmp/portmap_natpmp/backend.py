"""The NAT-PMP backend `pmp` (RFC 6886): the hooks of `portmap.hookspecs` as questions to one gateway.

Rules:
- A gateway that was found, not given, is forgotten with the first failure to talk to it; the next call looks anew.
- The external address is believed of a gateway that was given or that a default route names.
- Two threads come here: the core's calls the hooks; the listener's calls `_expected` and `_exchange_address` while
  there is a watch. Only the core's writes to the backend.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address
from random import random
from typing import ClassVar, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, OutOfResources, Refused, UnverifiedGateway
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Address, Grant, Kind, PortRequest, Protocol
from portmap.network import routes
from portmap.network.interface import check_has_ipv4
from portmap.wire import Peer, Question, Receive, TimedAnswer, Timeouts, boottime, exchange, first_good, receive
from portmap_natpmp.announcement import ANNOUNCED_AT
from portmap_natpmp.argument import hinted_gateway, parse_gateway
from portmap_natpmp.mapped_host import check_is_seen_as
from portmap_natpmp.observation import observation_of
from portmap_natpmp.packets import (
    PORT,
    AddressAnswer,
    AddressRequest,
    Answer,
    MappingAnswer,
    MappingRequest,
    Refusal,
    Request,
)
from portmap_natpmp.restart_watch import RestartWatch
from portmap_natpmp.results import NOTHING_TO_DELETE, good, real_address, stated_address

log = logging.getLogger("portmap.natpmp")

AnswerT = TypeVar("AnswerT", bound=Answer)

SPEAKS = "NAT-PMP"
NO_PORT_WANTED = 1  # the external port that says so where no other can: `natpmpc -a 1 0 tcp 60`, says ProtonVPN
SPREAD = 0.25  # seconds; RFC 6886 §3.6 has 5, for networks larger than any home router serves


class NatPmp:
    """Speaks NAT-PMP to the given gateway, or to the first of `candidates` that answers.

    `guesses` are asked only while there are no candidates. An announcement that is received at one of the addresses
    `announced_at` is verified after `random()` times `spread` seconds. `interface`: the one of this host to use; None:
    as the routes say. `port`, `timeouts`, `candidates`, `guesses`, `is_on_link` and `clock` are for tests and odd
    networks.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    preference: ClassVar[int | None] = 2  # one datagram per mapping; PCP's requests say more

    def __init__(
        self,
        gateway: IPv4Address | None = None,
        port: int = PORT,
        *,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  # frozen
        interface: str | None = None,
        candidates: Callable[[], Sequence[IPv4Address]] | None = None,
        guesses: Callable[[], Sequence[IPv4Address]] | None = None,
        is_on_link: Callable[[IPv4Address], bool] | None = None,
        clock: Callable[[], float] = boottime,
        announced_at: Sequence[Peer] = ANNOUNCED_AT,
        spread: float = SPREAD,
        random: Callable[[], float] = random,
    ) -> None:
        self._given = gateway
        self._gateway = gateway
        self._port = port
        self._timeouts = timeouts
        self._interface = interface
        self._candidates = partial(routes.default_gateways, interface) if candidates is None else candidates
        self._guesses = partial(routes.guessed_gateways, interface) if guesses is None else guesses
        self._is_on_link = is_on_link or partial(routes.is_on_link, interface=interface)
        self._clock = clock
        self._hinted: tuple[IPv4Address, ...] = ()  # gateways to ask, too, the next time that one is looked for
        self._is_named = gateway is not None  # by the user or by a default route
        self._watch = RestartWatch(
            self._expected, self._exchange_address, announced_at, lambda: spread * random(), clock, interface
        )

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "NatPmp":
        """`pmp` or `pmp:192.168.1.1`. Raises SpecError for an argument that is no gateway's IPv4 address."""
        return cls(None if argument is None else parse_gateway(argument), interface=interface)

    def __str__(self) -> str:
        return "NAT-PMP" if self._gateway is None else f"NAT-PMP {self._gateway}"

    @hookimpl
    def external_ip(self) -> IPv4Address:
        """The gateway's external address. Raises UnverifiedGateway where neither a route nor the user names it."""
        address = self._external_ip()
        if not self._is_named:
            raise UnverifiedGateway(
                f"{self} answers, but no default route leads there, so its word on our address is not taken: "
                f"if it is your router, name it, as in --nat pmp:{self._gateway}"
            )
        return address

    @hookimpl
    def add_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int, client: Address | None
    ) -> Grant:
        """Open the port or extend its lease. NAT-PMP has no names.

        Where the gateway may choose, the internal port is suggested: some refuse to be asked for port 0. Others refuse
        a port that is taken with "out of resources", and choose one when asked for port 0 (wg-easy). Internal port 0
        is for VPN gateways; RFC 6886 has no meaning for it here, so others refuse it. `client`: see `mapped_host`.
        """
        check_is_seen_as(client, self._given, self._is_on_link)
        PortRequest(protocol, internal_port, external_port, lifetime=lifetime, follow=True)  # raises SpecError
        suggested = external_port or internal_port or NO_PORT_WANTED
        try:
            answer = self._ask_mapping(MappingRequest(protocol, internal_port, suggested, lifetime))
        except OutOfResources as error:
            answer = self._ask_for_any_port(MappingRequest(protocol, internal_port, 0, lifetime), error)
        if not answer.external_port or not answer.lifetime:
            granted = f"external port {answer.external_port} for {answer.lifetime} s"
            raise Garbled(f"{self} granted {granted}, which is no mapping: restart it if this goes on")
        return Grant(answer.external_port, answer.lifetime)

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, internal_port: int, external_port: int, client: Address | None
    ) -> None:
        """Shut the port. NAT-PMP identifies it by our address and internal port, so it can only be ours.

        Internal port 0 is never sent: that mapping is left to run out. Some gateways identify it by the external port,
        against RFC 6886 §3.4, and answer 3 where they find none (wg-easy); 3 to both is a mapping that is not there.
        """
        check_is_seen_as(client, self._given, self._is_on_link)
        PortRequest(protocol, internal_port, follow=True)  # raises SpecError
        if internal_port == 0:
            meaning = f"every {protocol} mapping of this host, other programs' too (RFC 6886 §3.4)"
            raise Refused(f"to {self} a deletion of internal port 0 means {meaning}")
        try:
            self._delete(MappingRequest(protocol, internal_port))
        except Refused as error:
            if error.code not in NOTHING_TO_DELETE:
                raise
            self._delete_by_external_port(MappingRequest(protocol, internal_port, external_port))

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when the gateway may have lost its state or changed its address, or when another took its place.

        An answer's epoch shows it at the next call, an announcement at once.
        """
        return self._watch.start(alert, self._gateway)

    @hookimpl
    def hint(self) -> str:
        """The gateway's address, once it has answered."""
        return str(self._gateway) if self._gateway and self._watch.answers else ""

    @hookimpl
    def take_hint(self, hint: str) -> None:
        """Ask there, too, when the gateway is looked for: a VPN may have taken the routes that named it."""
        self._hinted = hinted_gateway(hint)

    # Asking ---------------------------------------------------------------------------------------------------

    def _external_ip(self) -> IPv4Address:
        if self._gateway is None:
            return self._discover()[1]
        if self._is_elsewhere(self._gateway):
            try:
                return self._discover()[1]
            except NATError as error:  # a VPN may have taken the routes, and our gateway still be there
                log.debug("%s is asked, although routes lead elsewhere: %s", self._gateway, error)
        return real_address(self._gateway, self._ask(AddressRequest(), self._exchange_address))

    def _ask_for_any_port(self, request: MappingRequest, error: OutOfResources) -> MappingAnswer:
        """Ask with external port 0 where another port was refused with `error`, which is raised if that is refused."""
        try:
            return self._ask_mapping(request)
        except Refused as again:
            log.debug("%s has no other port, either: %s", self, again)
            raise error from again

    def _delete(self, request: MappingRequest) -> None:
        answer = self._ask_mapping(request)
        if answer.lifetime:
            what = f"port {request.internal_port} is open for {answer.lifetime} s"
            raise Garbled(f"{self} answered a deletion with a lease: {what}")

    def _delete_by_external_port(self, request: MappingRequest) -> None:
        """Delete it where the gateway knows it by the external port; where it does not, there is none."""
        try:
            self._delete(request)
        except Refused as error:
            if error.code not in NOTHING_TO_DELETE:
                raise
            log.debug("%s has no such mapping: %s", self, error)

    def _ask_mapping(self, request: MappingRequest) -> MappingAnswer:
        return self._ask(request, lambda gateway: self._exchange(gateway, request))

    def _ask(self, request: Request, exchange: Callable[[IPv4Address], TimedAnswer[AnswerT | Refusal]]) -> AnswerT:
        """The gateway's good answer. If it cannot be talked to it is forgotten, unless it was given to us."""
        gateway = self._gateway or self._discover()[0]
        try:
            timed = exchange(gateway)
        except (NoGateway, GatewayTimeout, Garbled):
            self._gateway, self._watch.answers = self._given, False
            raise
        self._watch.answers = True
        self._record(gateway, request, timed)
        return good(gateway, request, timed.answer)

    def _discover(self) -> tuple[IPv4Address, IPv4Address]:
        """Find the gateway; (its address, its external address)."""
        check_has_ipv4(self._interface)
        candidates = tuple(self._candidates())
        others = (*(() if candidates else self._guesses()), *self._hinted)
        self._hinted = ()
        gateway, timed = first_good((*candidates, *others), self._introduce, speaks=SPEAKS, interface=self._interface)
        self._gateway, self._watch.answers = gateway, True
        self._is_named = gateway in candidates
        if not self._is_named:
            log.warning("NAT-PMP %s is used, although no default route names it", gateway)
        self._watch.join_towards(gateway)
        self._record(gateway, AddressRequest(), timed)
        return gateway, timed.answer.external_ip

    def _is_elsewhere(self, gateway: IPv4Address) -> bool:
        """Whether routes lead elsewhere by now, so that its silence need not be waited for first."""
        candidates = self._candidates() if self._given is None else ()
        return bool(candidates) and gateway not in candidates

    def _introduce(self, candidate: IPv4Address) -> TimedAnswer[AddressAnswer]:
        """Ask a candidate for its external address. Runs on a thread of the search's own: changes nothing here."""
        timed = self._exchange_address(candidate)
        answer = good(candidate, AddressRequest(), timed.answer)
        real_address(candidate, answer)
        return TimedAnswer(answer, timed.asked_at, timed.heard_at)

    def _record(self, gateway: IPv4Address, request: Request, timed: TimedAnswer[Answer | Refusal]) -> None:
        """Compare the answer with the last one, and alert if our mappings may be gone.

        Some gateways put anything where a refusal of a mapping has its epoch, so the address question confirms that.
        """
        now = observation_of(gateway, timed)
        if now is None:
            return
        if not now.refused or isinstance(request, AddressRequest):
            self._watch.record(now)
        elif self._watch.contradicts(now):
            self._confirm(gateway)

    def _confirm(self, gateway: IPv4Address) -> None:
        try:
            timed = self._exchange_address(gateway)
        except NATError as error:
            log.debug("%s cannot be asked for its epoch: %s", gateway, error)
        else:
            self._record(gateway, AddressRequest(), timed)

    # On any thread --------------------------------------------------------------------------------------------

    def _exchange_address(
        self, gateway: IPv4Address, receive: Receive = receive
    ) -> TimedAnswer[AddressAnswer | Refusal]:
        """The answer to the address question; a changed address is asked for twice, from another port each time.

        Another host can guess one port, and answer before a slow gateway does. Raises Garbled if the two differ.
        """
        timed = self._exchange(gateway, AddressRequest(), receive)
        known, stated = self._watch.external_ip(gateway), stated_address(timed.answer)
        if known is None or stated in (None, known):
            return timed
        again = self._exchange(gateway, AddressRequest(), receive)
        if stated_address(again.answer) not in (None, known, stated):
            raise Garbled(f"NAT-PMP {gateway} stated {stated}, then {stated_address(again.answer)}: which one is it?")
        return again

    def _exchange(
        self, gateway: IPv4Address, question: Question[AnswerT | Refusal], receive: Receive = receive
    ) -> TimedAnswer[AnswerT | Refusal]:
        asked_at = self._clock()
        peer = str(gateway), self._port
        answer = exchange(
            peer, question, self._timeouts, self._clock, receive, speaks=SPEAKS, interface=self._interface
        )
        return TimedAnswer(answer, asked_at, self._clock())

    def _expected(self) -> Sequence[IPv4Address]:
        """Whose announcements count: our gateway's, or while we have none those of the candidates."""
        gateway = self._gateway  # once: the other thread may lose it
        return (gateway,) if gateway else self._candidates()
