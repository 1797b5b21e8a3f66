"""The questions to one PCP server, each with its time; nothing is remembered, so any thread may ask."""

from collections.abc import Callable
from os import urandom
from random import SystemRandom
from typing import Generic, TypeVar

from portmap.errors import NoGateway
from portmap.model import Address, Protocol
from portmap.wire import Question, Receive, TimedAnswer, exchange, receive
from portmap_pcp.options import PREFER_FAILURE
from portmap_pcp.packets import NONCE_LENGTH, Announce, Announced, Map, Mapped, No, Refusal
from portmap_pcp.results import CANNOT_PROVIDE_EXTERNAL
from portmap_pcp.settings import Settings

A = TypeVar("A", bound=Address)
AnswerT = TypeVar("AnswerT", Announced, Mapped)

SPEAKS = "PCP"
_PROBE_LIFETIME = 120  # seconds; the least that a server grants: RFC 6887 §15
_PROBE_PORTS = range(49152, 65536)  # dynamic ports: RFC 6335 §6


class Exchanges(Generic[A]):
    """`own_address` gives our address towards a server, which each request leaves from; it raises NoGateway."""

    def __init__(self, own_address: Callable[[A], A], settings: Settings) -> None:
        self.own_address = own_address
        self._settings = settings

    def ask(
        self, server: A, ours: A, question: Question[AnswerT | No], receive: Receive = receive
    ) -> TimedAnswer[AnswerT | No]:
        """The answer. To a MAP, one with its nonce counts more than one without, which another host may have made."""
        settings = self._settings
        asked_at = settings.clock()
        answer = exchange(
            (str(server), settings.port),
            question,
            settings.timeouts,
            settings.clock,
            receive,
            speaks=SPEAKS,
            source=ours,
            interface=settings.interface,
            is_certain=_is_certain,
        )
        return TimedAnswer(answer, asked_at, settings.clock())

    def ask_epoch(self, server: A, receive: Receive = receive) -> TimedAnswer[Announced | No]:
        """Ask for a sign of life (RFC 6887 §14.1)."""
        ours = self.own_address(server)
        return self.ask(server, ours, Announce(ours), receive)

    def is_free(self, server: A, protocol: Protocol, external_port: int) -> bool:
        """Whether another internal port of ours could have this external port; what was granted is given back at once.

        Raises NoGateway where the answer does not tell.
        """
        ours, nonce = self.own_address(server), urandom(NONCE_LENGTH)
        probe = Map(ours, nonce, protocol, SystemRandom().choice(_PROBE_PORTS), external_port, None, _PROBE_LIFETIME)
        answer = self.ask(server, ours, probe._replace(options=(PREFER_FAILURE,))).answer
        if isinstance(answer, Mapped):
            self.ask(server, ours, probe._replace(external_port=0, lifetime=0))
            return answer.external_port == external_port
        if isinstance(answer, Refusal) and answer.result == CANNOT_PROVIDE_EXTERNAL:
            return False
        raise NoGateway(f"{server} does not tell whether port {external_port} is free: {answer}")


def _is_certain(answer: Announced | Mapped | No) -> bool:
    """Whether no other answer can be better. An ANNOUNCE has no nonce, so its answers are all alike."""
    return isinstance(answer, Announced | Mapped) or (isinstance(answer, Refusal) and answer.has_nonce)
