"""The NAT-PMP backend (RFC 6886): the hooks of `portmap.hookspecs` as questions to one gateway.

Law: this file decides what to ask and what an answer is worth; bytes are `packets`, sockets `exchange`. A gateway
that was found, not given, is forgotten with the first failure to talk to it, so that the next call looks anew.
"""

import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address
from typing import ClassVar, TypeVar

from portmap import gateways
from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Grant, Kind, PortRequest, Protocol
from portmap_natpmp.argument import parse_gateway
from portmap_natpmp.discovery import first_good
from portmap_natpmp.epoch import Epoch
from portmap_natpmp.exchange import Patience, Question, exchange
from portmap_natpmp.packets import PORT, AddressAnswer, AddressRequest, Answer, MappingRequest, Refusal
from portmap_natpmp.results import NO_ADDRESS_YET, refused

AnswerT = TypeVar("AnswerT", bound=Answer)


class NatPmp:
    """Speaks NAT-PMP to the given gateway, or to the first of `candidates` that answers.

    `port`, `patience`, `candidates` and `clock` are for those who know better: tests, odd networks.
    """

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(
        self,
        gateway: IPv4Address | None = None,
        port: int = PORT,
        *,
        patience: Patience = Patience(),  # noqa: B008  # frozen
        candidates: Callable[[], Sequence[IPv4Address]] = gateways.candidates,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._given = gateway
        self._gateway = gateway
        self._port = port
        self._patience = patience
        self._candidates = candidates
        self._clock = clock
        self._last: tuple[IPv4Address, Epoch] | None = None
        self._alert: Alert | None = None

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
        return _real_address(self._gateway, self._ask(AddressRequest()))

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        """Open the port or extend its lease. NAT-PMP has no names.

        Where the gateway may choose, the internal port is suggested: some refuse to be asked for port 0.
        """
        PortRequest(protocol, internal_port, external_port, lifetime=lifetime)  # raises SpecError
        answer = self._ask(MappingRequest(protocol, internal_port, external_port or internal_port, lifetime))
        if not answer.external_port or not answer.lifetime:
            granted = f"external port {answer.external_port} for {answer.lifetime} s"
            raise Garbled(f"{self} granted {granted}, which is no mapping: restart it if this goes on")
        return Grant(answer.external_port, answer.lifetime)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, internal_port: int) -> None:
        """Shut the port. NAT-PMP knows it by our address and internal port, so it can only be ours."""
        PortRequest(protocol, internal_port)  # raises SpecError, above all for 0: that would shut all of our host's
        answer = self._ask(MappingRequest(protocol, internal_port))
        if answer.lifetime:
            raise Garbled(
                f"{self} answered a deletion with a lease: port {internal_port} is open for {answer.lifetime} s"
            )

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when an answer's epoch shows that the gateway lost its state, or when another took its place."""
        self._alert = alert

        def close() -> None:
            if self._alert is alert:  # else a later watch has taken over
                self._alert = None

        return close

    def _ask(self, question: Question[AnswerT]) -> AnswerT:
        """The gateway's good answer. If it cannot be talked to it is forgotten, unless it was given to us."""
        gateway = self._gateway or self._discover()[0]
        try:
            answer = self._exchange(gateway, question)
        except (NoGateway, GatewayTimeout, Garbled):
            self._gateway = self._given
            raise
        self._note(gateway, answer)
        return _good(gateway, answer)

    def _discover(self) -> tuple[IPv4Address, IPv4Address]:
        """Find the gateway; (its address, its external address)."""
        gateway, answer = first_good(self._candidates(), self._introduce)
        self._gateway = gateway
        self._note(gateway, answer)
        return gateway, answer.external_ip

    def _introduce(self, candidate: IPv4Address) -> AddressAnswer:
        """Ask a candidate for its external address. Runs on a thread of discovery's own: changes nothing here."""
        answer = _good(candidate, self._exchange(candidate, AddressRequest()))
        _real_address(candidate, answer)
        return answer

    def _exchange(self, gateway: IPv4Address, question: Question[AnswerT]) -> AnswerT | Refusal:
        return exchange((str(gateway), self._port), question, self._patience, self._clock)

    def _note(self, gateway: IPv4Address, answer: Answer | Refusal) -> None:
        """Compare the answer's epoch with the last one, and alert if our mappings must be gone."""
        if answer.epoch is None:
            return
        epoch = Epoch(answer.epoch, self._clock())
        last, self._last = self._last, (gateway, epoch)
        reason = _reason_to_alert(last, (gateway, epoch))
        alert = self._alert  # once: the watch may end at any moment
        if reason and alert:
            alert(reason)


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


def _reason_to_alert(last: tuple[IPv4Address, Epoch] | None, new: tuple[IPv4Address, Epoch]) -> str:
    """Why our mappings must be gone, or nothing."""
    if last is None:
        return ""
    (before, old), (gateway, epoch) = last, new
    if gateway != before:
        return f"gateway changed: {gateway} answers in place of {before}"
    if old.is_continued_by(epoch):
        return ""
    return f"gateway restarted: its clock went from {int(old.expected_at(epoch.heard_at))} s to {epoch.seconds} s"
