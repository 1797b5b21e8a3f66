"""The NAT-PMP backend (RFC 6886): the hooks of `portmap.hookspecs` as questions to one gateway.

Law: this file decides what to ask and what an answer is worth; bytes are `packets`, sockets `exchange`. A gateway
that was found, not given, is forgotten with the first failure to talk to it, so that the next call looks anew.

Two threads come here: the core's, which calls the hooks, and while there is a watch the listener's, in `_expected`
and `_verify`. Only the former writes to the backend; the latter reads, and both learn through `_memory`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from random import random
from typing import ClassVar, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, Refused
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Grant, Kind, PortRequest, Protocol
from portmap.network import routes
from portmap.wire import AnnouncementListener, Peer, Question, Receive, Timeouts, exchange, first_good, receive
from portmap_natpmp.announcement import ANNOUNCED_AT, read_announcement
from portmap_natpmp.argument import hinted_gateway, parse_gateway
from portmap_natpmp.observation import LastObservation, observation_of, reason_to_alert, reason_when_announced
from portmap_natpmp.packets import PORT, AddressAnswer, AddressRequest, Answer, MappingRequest, Refusal
from portmap_natpmp.results import NO_ADDRESS_YET, NOTHING_TO_DELETE, refused

log = logging.getLogger("portmap.natpmp")

AnswerT = TypeVar("AnswerT", bound=Answer)

SPEAKS = "NAT-PMP"
NO_WISH = 1  # the external port that says so where no other can: `natpmpc -a 1 0 tcp 60`, says ProtonVPN
SPREAD = 0.25  # seconds; RFC 6886 §3.6 has 5, which is for crowds that no home router serves


class NatPmp:
    """Speaks NAT-PMP to the given gateway, or to the first of `candidates` that answers.

    An announcement heard at one of the addresses `announced_at` is verified after `random()` times `spread` seconds.
    `port`, `patience`, `candidates` and `clock` are for those who know better: tests, odd networks.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    preference: ClassVar[int | None] = 2  # one datagram a mapping; it cannot name its wishes as precisely as PCP

    def __init__(
        self,
        gateway: IPv4Address | None = None,
        port: int = PORT,
        *,
        patience: Timeouts = Timeouts(),  # noqa: B008  # frozen
        candidates: Callable[[], Sequence[IPv4Address]] = routes.gateway_candidates,
        clock: Callable[[], float] = time.monotonic,
        announced_at: Sequence[Peer] = ANNOUNCED_AT,
        spread: float = SPREAD,
        random: Callable[[], float] = random,
    ) -> None:
        self._given = gateway
        self._gateway = gateway
        self._port = port
        self._patience = patience
        self._candidates = candidates
        self._clock = clock
        self._announced_at = announced_at
        self._delay = lambda: spread * random()
        self._hinted: tuple[IPv4Address, ...] = ()  # where to ask, too, the next time that a gateway is looked for
        self._answers = False
        self._memory = LastObservation()
        self._alert: Alert | None = None
        self._listener: AnnouncementListener | None = None

    @classmethod
    def from_argument(cls, argument: str | None) -> "NatPmp":
        """`pmp` or `pmp:192.168.1.1`. Raises SpecError for an argument that is no gateway's IPv4 address."""
        return cls(None if argument is None else parse_gateway(argument))

    def __str__(self) -> str:
        return "NAT-PMP" if self._gateway is None else f"NAT-PMP {self._gateway}"

    @hookimpl
    def external_ip(self) -> IPv4Address:
        """The gateway's external address; 0.0.0.0 counts as the refusal that it means."""
        if self._gateway is None:
            return self._discover()[1]
        if self._is_elsewhere(self._gateway):
            try:
                return self._discover()[1]
            except NATError as error:  # a VPN may have taken the routes, and our gateway still be there
                log.debug("%s is asked, although routes lead elsewhere: %s", self._gateway, error)
        return _real_address(self._gateway, self._ask(AddressRequest()))

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        """Open the port or extend its lease. NAT-PMP has no names.

        Where the gateway may choose, the internal port is suggested: some refuse to be asked for port 0. Internal port
        0 is for VPN gateways; RFC 6886 has no meaning for it here, so others refuse it.
        """
        PortRequest(protocol, internal_port, external_port, lifetime=lifetime, follow=True)  # raises SpecError
        suggested = external_port or internal_port or NO_WISH
        answer = self._ask(MappingRequest(protocol, internal_port, suggested, lifetime))
        if not answer.external_port or not answer.lifetime:
            granted = f"external port {answer.external_port} for {answer.lifetime} s"
            raise Garbled(f"{self} granted {granted}, which is no mapping: restart it if this goes on")
        return Grant(answer.external_port, answer.lifetime)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, internal_port: int) -> None:
        """Shut the port. NAT-PMP knows it by our address and internal port, so it can only be ours.

        Save for internal port 0, which is never sent: that mapping is left to run out.
        """
        PortRequest(protocol, internal_port, follow=True)  # raises SpecError
        if internal_port == 0:
            meaning = f"every {protocol} mapping of this host, other programs' too (RFC 6886 §3.4)"
            raise Refused(f"to {self} a deletion of internal port 0 means {meaning}")
        try:
            answer = self._ask(MappingRequest(protocol, internal_port))
        except Refused as error:
            if error.code not in NOTHING_TO_DELETE:
                raise
            log.debug("%s %d is not open: %s", protocol, internal_port, error)
            return
        if answer.lifetime:
            raise Garbled(
                f"{self} answered a deletion with a lease: port {internal_port} is open for {answer.lifetime} s"
            )

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when the gateway lost its state or changed its address, or when another took its place.

        An answer's epoch shows it at the next call, an announcement at once.
        """
        listener = AnnouncementListener(
            self._announced_at, self._expected, read_announcement, self._verify, self._delay
        )
        self._alert, self._listener = alert, listener
        if self._gateway:
            listener.join_towards(self._gateway)

        def close() -> None:
            if self._listener is listener:  # else a later watch has taken over
                self._alert = self._listener = None
            listener.close()

        return close

    @hookimpl
    def hint(self) -> str:
        """The gateway's address, once it has answered."""
        return str(self._gateway) if self._gateway and self._answers else ""

    @hookimpl
    def take_hint(self, hint: str) -> None:
        """Ask there, too, when the gateway is looked for: a VPN may have taken the routes that named it."""
        self._hinted = hinted_gateway(hint)

    def _ask(self, question: Question[AnswerT | Refusal]) -> AnswerT:
        """The gateway's good answer. If it cannot be talked to it is forgotten, unless it was given to us."""
        gateway = self._gateway or self._discover()[0]
        try:
            answer = self._exchange(gateway, question)
        except (NoGateway, GatewayTimeout, Garbled):
            self._gateway, self._answers = self._given, False
            raise
        self._answers = True
        self._note(gateway, answer)
        return _good(gateway, answer)

    def _discover(self) -> tuple[IPv4Address, IPv4Address]:
        """Find the gateway; (its address, its external address)."""
        candidates = tuple(dict.fromkeys((*self._candidates(), *self._hinted)))
        self._hinted = ()
        gateway, answer = first_good(candidates, self._introduce, speaks=SPEAKS)
        self._gateway, self._answers = gateway, True
        if self._listener:
            self._listener.join_towards(gateway)
        self._note(gateway, answer)
        return gateway, answer.external_ip

    def _is_elsewhere(self, gateway: IPv4Address) -> bool:
        """Whether routes lead elsewhere by now, so that its silence need not be waited for first."""
        candidates = self._candidates() if self._given is None else ()
        return bool(candidates) and gateway not in candidates

    def _introduce(self, candidate: IPv4Address) -> AddressAnswer:
        """Ask a candidate for its external address. Runs on a thread of discovery's own: changes nothing here."""
        answer = _good(candidate, self._exchange(candidate, AddressRequest()))
        _real_address(candidate, answer)
        return answer

    def _exchange(
        self, gateway: IPv4Address, question: Question[AnswerT | Refusal], receive: Receive = receive
    ) -> AnswerT | Refusal:
        return exchange((str(gateway), self._port), question, self._patience, self._clock, receive, speaks=SPEAKS)

    def _note(self, gateway: IPv4Address, answer: Answer | Refusal) -> None:
        """Compare the answer with the last one, and alert if our mappings must be gone."""
        if now := observation_of(gateway, answer, self._clock()):
            self._tell(reason_to_alert(self._memory.update(now), now))

    def _tell(self, reason: str) -> None:
        alert = self._alert  # once: the watch may end at any moment
        if reason and alert:
            alert(reason)

    # On the listener's thread ---------------------------------------------------------------------------------

    def _expected(self) -> Sequence[IPv4Address]:
        """Whose announcements count: our gateway's, or while we have none those of whoever may be it."""
        gateway = self._gateway  # once: the other thread may lose it
        return (gateway,) if gateway else self._candidates()

    def _verify(self, gateway: IPv4Address, receive: Receive) -> None:
        """Ask a gateway that announced something what it is, and alert if it concerns us.

        If it did not answer before, that it does now is news enough.
        """
        try:
            answer = self._exchange(gateway, AddressRequest(), receive)
        except NATError as error:
            log.debug("%s announced something, but cannot be asked: %s", gateway, error)
            return
        if now := observation_of(gateway, answer, self._clock()):
            reason = reason_when_announced(self._memory.update(now), now)
            self._tell(reason or ("" if self._answers else f"{gateway} announced itself"))


def _good(gateway: IPv4Address, answer: AnswerT | Refusal) -> AnswerT:
    """The answer, if it is none that says no."""
    if isinstance(answer, Refusal):
        raise refused(f"NAT-PMP {gateway}", answer.result)
    return answer


def _real_address(gateway: IPv4Address, answer: AddressAnswer) -> IPv4Address:
    """The external address, if it is one: some gateways say 0.0.0.0 where they should refuse."""
    if answer.external_ip.is_unspecified:
        raise refused(f"NAT-PMP {gateway}", NO_ADDRESS_YET)
    return answer.external_ip
