"""PCP with one server (RFC 6887): found or given, asked, its answers judged. IPv4 and IPv6 alike.

Law: this file decides what to ask and what an answer is worth; bytes are `packets`, sockets `portmap.wire`. A server
that was found, not given, is forgotten with the first failure to talk to it, so that the next call looks anew.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Generic, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, OutOfResources, Refused
from portmap.hookspecs import Alert, Closer
from portmap.model import Address, Grant, PortRequest, Protocol
from portmap.wire import Peer, Question, Receive, exchange, first_good, receive
from portmap_pcp.nonces import Nonces
from portmap_pcp.options import PREFER_FAILURE
from portmap_pcp.packets import Announce, Announced, Map, Mapped, NatPmpOnly, No, Refusal
from portmap_pcp.restart_watch import RestartWatch
from portmap_pcp.results import UNSUPPORTED_OPCODE, UNSUPPORTED_OPTION, SpeaksNatPmp, refused
from portmap_pcp.settings import Settings

log = logging.getLogger("portmap.pcp")

A = TypeVar("A", bound=Address)
AnswerT = TypeVar("AnswerT", Announced, Mapped)

SPEAKS = "PCP"
LONGEST_LIFETIME = 86400  # seconds; what is granted for longer is renewed as often: RFC 6887 §15


class Client(Generic[A]):
    """Talks to the `given` server, or to the first of `candidates` that answers.

    `own_address` tells our address towards a server, or raises NoGateway; it is the client address of every request.
    """

    def __init__(
        self,
        given: A | None,
        candidates: Callable[[], Sequence[A]],
        own_address: Callable[[A], A],
        announced_at: Sequence[Peer],
        settings: Settings,
    ) -> None:
        self.server = given
        self._given = given
        self._candidates = candidates
        self._own_address = own_address
        self._settings = settings
        self._nonces = Nonces()
        self._watcher = RestartWatch(self._expected, self._announce, announced_at, settings)

    def __str__(self) -> str:
        return SPEAKS if self.server is None else f"{SPEAKS} {self.server}"

    def meet(self) -> A:
        """The server, which has answered just now: it lives, and its epoch is known. Raises SpeaksNatPmp."""
        if self.server is None:
            return self._find()
        if self._is_elsewhere(self.server):
            try:
                return self._find()
            except NATError as error:  # a VPN may have taken the routes, and our server still be there
                log.debug("%s is asked, although routes lead elsewhere: %s", self.server, error)
        server = self.server
        try:
            self._ask(server, Announce(self._ours(server)))
        except Refused as error:
            if error.code != UNSUPPORTED_OPCODE:  # that, too, is a sign of life
                raise
        return server

    def external_ip(self, server: A) -> Address | None:
        """The address that the server last granted, if its state has lasted since."""
        return self._watcher.external_ip(server)

    def map(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        lifetime: int,
        token: str,
        *,
        exact: bool = False,
    ) -> Grant:
        """Open a port or extend its lease (§11.1). `token` is that of the last Grant, maybe of an earlier life.

        `exact`: prefer failure to another port (§13.2), if the server knows that; else it gives what it likes.
        """
        PortRequest(protocol, internal_port, external_port, lifetime=lifetime)  # raises SpecError
        server = self.server or self._find()
        ours = self._ours(server)
        nonce = self._nonces.of((server, ours, protocol, internal_port), token)
        # What we had is what we suggest (§11.2); our own IPv6 address goes without saying, and may have changed.
        had = self.external_ip(server) if isinstance(ours, IPv4Address) and not exact else None
        question = Map(ours, nonce, protocol, internal_port, external_port, had, lifetime)
        answer = self._ask_exactly(server, question) if exact else self._ask(server, question)
        return _granted(f"{SPEAKS} {server}", ours, nonce, answer)

    def unmap(self, protocol: Protocol, internal_port: int, token: str) -> None:
        """Shut the port (§15.1). What is not there counts as shut."""
        PortRequest(protocol, internal_port)  # raises SpecError, above all for 0: that would shut all of our host's
        server = self.server or self._find()
        ours = self._ours(server)
        nonce = self._nonces.of((server, ours, protocol, internal_port), token)
        try:
            answer = self._ask(server, Map(ours, nonce, protocol, internal_port))
        except OutOfResources as error:  # miniupnpd's answer where there is no such mapping (8, NO_RESOURCES)
            log.debug("%s %d is not open: %s", protocol, internal_port, error)
            self._nonces.forget(protocol, internal_port)
            return
        if answer.lifetime:
            left = f"port {internal_port} is open for {answer.lifetime} s"
            raise Garbled(f"{SPEAKS} {server} answered a deletion with a lease: {left}")
        self._nonces.forget(protocol, internal_port)

    def watch(self, alert: Alert) -> Closer:
        """Alert when the server lost its state, or when another took its place.

        An answer's epoch shows it at the next call, an announcement at once.
        """
        return self._watcher.start(alert, self.server)

    def _ask_exactly(self, server: A, question: Map) -> Mapped:
        try:
            return self._ask(server, replace(question, options=(PREFER_FAILURE,)))
        except Refused as error:
            if error.code != UNSUPPORTED_OPTION:
                raise
        return self._ask(server, question)

    def _find(self) -> A:
        """The first candidate that answers. One that speaks NAT-PMP only has answered, too: raises SpeaksNatPmp."""
        server, answer = first_good(self._candidates(), self._introduce, speaks=SPEAKS)
        if isinstance(answer, NatPmpOnly):
            raise SpeaksNatPmp(server)
        self.server, self._watcher.answers = server, True
        self._watcher.join_towards(server)
        self._watcher.record(server, answer)
        return server

    def _introduce(self, candidate: A) -> Announced | No:
        """Ask a candidate whether it is there. Runs on a thread of the search's own: changes nothing here."""
        answer = self._announce(candidate)
        if isinstance(answer, Refusal) and answer.result != UNSUPPORTED_OPCODE:
            raise refused(candidate, answer)
        return answer

    def _is_elsewhere(self, server: A) -> bool:
        """Whether routes lead elsewhere by now, so that its silence need not be waited for first."""
        candidates = self._candidates() if self._given is None else ()
        return bool(candidates) and server not in candidates

    def _ask(self, server: A, question: Question[AnswerT | No]) -> AnswerT:
        """The server's good answer. If it cannot be talked to it is forgotten, unless it was given to us."""
        try:
            answer = self._exchange(server, self._ours(server), question)
            if isinstance(answer, NatPmpOnly):
                raise SpeaksNatPmp(server)
        except (NoGateway, GatewayTimeout, Garbled):
            self._lose()
            raise
        self._watcher.answers = True
        self._watcher.record(server, answer)
        if isinstance(answer, Refusal):
            raise refused(server, answer)
        return answer

    def _ours(self, server: A) -> A:
        """Our own address towards the server; without one it is lost to us."""
        try:
            return self._own_address(server)
        except NoGateway:
            self._lose()
            raise

    def _lose(self) -> None:
        self.server, self._watcher.answers = self._given, False

    def _exchange(
        self, server: A, ours: A, question: Question[AnswerT | No], receive: Receive = receive
    ) -> AnswerT | No:
        settings = self._settings
        peer = str(server), settings.port
        return exchange(peer, question, settings.patience, settings.clock, receive, speaks=SPEAKS, source=ours)

    def _announce(self, server: A, receive: Receive = receive) -> Announced | No:
        """Ask for a sign of life (§14.1); on any thread."""
        ours = self._own_address(server)
        return self._exchange(server, ours, Announce(ours), receive)

    def _expected(self) -> Sequence[A]:
        """Whose announcements count: our server's, or while we have none those of whoever may be it."""
        server = self.server  # once: the other thread may lose it
        return (server,) if server else self._candidates()


def _granted(server: str, ours: Address, nonce: bytes, answer: Mapped) -> Grant:
    """What was granted, if it is a mapping. Raises Garbled."""
    port, lifetime, address = answer.external_port, answer.lifetime, answer.external_ip
    if not port or not lifetime:
        what = f"external port {port} for {lifetime} s"
        raise Garbled(f"{server} granted {what}, which is no mapping: restart it if this goes on")
    if address.is_unspecified:
        raise Garbled(f"{server} granted a port of the address {address}: it has none; is its uplink connected?")
    if address.version != ours.version:
        raise Garbled(f"{server} granted a port of {address} to {ours}, which is of the other IP version")
    return Grant(port, min(lifetime, LONGEST_LIFETIME), address, token=nonce.hex())
