"""PCP with one server (RFC 6887): found or given, asked, its answers checked. IPv4 and IPv6 alike.

Rules:
- A server that was found, not given, is forgotten with the first failure to talk to it; the next call looks anew.
- Two threads come here: the core's, and while there is a watch the listener's, in `_expected`. Only the core's writes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Generic, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, Refused
from portmap.hookspecs import Alert, Closer
from portmap.model import Address, Grant, PortRequest, Protocol
from portmap.network.interface import check_usable
from portmap.wire import Peer, Question, TimedAnswer, first_good
from portmap_pcp.exchanges import SPEAKS, Exchanges
from portmap_pcp.mapped_host import MappedHost, mapped_host
from portmap_pcp.nonces import Nonces
from portmap_pcp.observation import observation_of
from portmap_pcp.options import PREFER_FAILURE
from portmap_pcp.packets import Announce, Announced, Map, Mapped, NatPmpOnly, No, Refusal
from portmap_pcp.renewal_check import RenewalCheck
from portmap_pcp.restart_watch import RestartWatch
from portmap_pcp.results import (
    NO_RESOURCES,
    UNSUPPORTED_OPCODE,
    UNSUPPORTED_OPTION,
    SpeaksNatPmp,
    refused,
)
from portmap_pcp.settings import Settings

log = logging.getLogger("portmap.pcp")

A = TypeVar("A", bound=Address)
AnswerT = TypeVar("AnswerT", Announced, Mapped)

LONGEST_LIFETIME = 86400  # seconds; what is granted for longer is renewed as often: RFC 6887 §15


class Client(Generic[A]):
    """Talks to the `given` server, or to the first of `candidates` that answers.

    `guesses` are asked only while there are no candidates. `own_address` gives our address towards a server, or raises
    NoGateway; it is the client address of every request.
    """

    def __init__(
        self,
        given: A | None,
        candidates: Callable[[], Sequence[A]],
        guesses: Callable[[], Sequence[A]],
        own_address: Callable[[A], A],
        announced_at: Sequence[Peer],
        settings: Settings,
    ) -> None:
        self.server = given
        self.is_named = given is not None
        """Whether the user or a default route names the server."""
        self._given = given
        self._candidates = candidates
        self._guesses = guesses
        self._exchanges = Exchanges(own_address, settings)
        self._settings = settings
        self._nonces = Nonces()
        self._watch = RestartWatch(self._expected, self._exchanges.ask_epoch, announced_at, settings)
        self._renewals = RenewalCheck(self._is_free, self._watch.tell)

    def __str__(self) -> str:
        return SPEAKS if self.server is None else f"{SPEAKS} {self.server}"

    def server_in_use(self) -> A | None:
        """The server; None while it has to be found, or where routes lead elsewhere."""
        return None if self.server is None or self._is_elsewhere(self.server) else self.server

    def answered(self) -> None:
        """The server has answered a question of another protocol: it lives, and has kept its state."""
        self._watch.answers = True

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
        return self._watch.external_ip(server)

    def map(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        lifetime: int,
        token: str,
        *,
        exact: bool = False,
        client: Address | None = None,
    ) -> Grant:
        """Open a port or extend its lease (§11.1). `token` is that of the last Grant, maybe of an earlier session.

        `exact`: prefer failure to another port (§13.2), if the server knows that; else it gives what it likes.
        `client`: the host that it leads to, None for this one (`mapped_host`).
        """
        PortRequest(protocol, internal_port, external_port, lifetime=lifetime)  # raises SpecError
        server = self.server or self._find()
        ours = self._ours(server)
        host = mapped_host(ours, client, self._settings.is_on_link)
        key = protocol, internal_port
        is_checked = isinstance(ours, IPv4Address) and host.address == ours  # a pinhole cannot be asked for twice
        if is_checked and not self._renewals.extends and self._renewals.is_held(key, self._settings.clock()):
            self._delete_to_renew(protocol, internal_port, token)
        nonce = self._nonces.of((server, host.address, protocol, internal_port), token)
        # What we had is what we suggest (§11.2); our own IPv6 address goes without saying, and may have changed.
        had = self.external_ip(server) if isinstance(ours, IPv4Address) and not exact else None
        question = Map(host.sender, nonce, protocol, internal_port, external_port, had, lifetime, host.options)
        answer = self._ask_exactly(server, question, host) if exact else self._ask(server, question, host)
        grant = _granted(f"{SPEAKS} {server}", ours, nonce, answer)
        if is_checked:
            self._renewals.granted(key, grant.external_port, grant.lifetime, self._settings.clock())
        return grant if self.is_named else replace(grant, external_ip=None)

    def unmap(self, protocol: Protocol, internal_port: int, token: str, *, client: Address | None = None) -> None:
        """Shut the port (§15.1). A mapping that is not there counts as shut."""
        PortRequest(protocol, internal_port)  # raises SpecError, above all for 0: that would shut all of our host's
        server = self.server or self._find()
        ours = self._ours(server)
        host = mapped_host(ours, client, self._settings.is_on_link)
        nonce = self._nonces.of((server, host.address, protocol, internal_port), token)
        try:
            answer = self._ask(server, Map(host.sender, nonce, protocol, internal_port, options=host.options), host)
        except Refused as error:
            if error.code != NO_RESOURCES:  # so miniupnpd says that there is no such mapping
                raise
            log.debug("%s has no such mapping: %s", self, error)
        else:
            if answer.lifetime:
                left = f"port {internal_port} is open for {answer.lifetime} s"
                raise Garbled(f"{SPEAKS} {server} answered a deletion with a lease: {left}")
        self._nonces.forget(protocol, internal_port)
        if host.address == ours:
            self._renewals.deleted((protocol, internal_port))

    def watch(self, alert: Alert) -> Closer:
        """Alert when the server may have lost its state, or when another took its place.

        An answer's epoch shows it at the next call, an announcement at once. A renewal that does not extend a mapping
        is shown once the mapping has run out.
        """
        end = self._watch.start(alert, self.server)

        def close() -> None:
            self._renewals.stop()
            end()

        return close

    # Asking ---------------------------------------------------------------------------------------------------

    def _ask_exactly(self, server: A, question: Map, host: MappedHost) -> Mapped:
        try:
            return self._ask(server, question._replace(options=(*question.options, PREFER_FAILURE)), host)
        except Refused as error:
            if error.code != UNSUPPORTED_OPTION:
                raise
        return self._ask(server, question, host)

    def _delete_to_renew(self, protocol: Protocol, internal_port: int, token: str) -> None:
        try:
            self.unmap(protocol, internal_port, token)
        except Refused as error:
            log.debug("%s does not delete what it does not extend: %s", self, error)

    def _find(self) -> A:
        """The first candidate that answers. One that speaks NAT-PMP only has answered, too: raises SpeaksNatPmp."""
        candidates = tuple(self._candidates())
        asked = candidates or tuple(self._guesses())
        interface = self._settings.interface
        check_usable(interface)
        server, timed = first_good(asked, self._introduce, speaks=SPEAKS, interface=interface)
        self.is_named = server in candidates
        if not self.is_named:
            log.warning("%s %s is used, although no default route names it", SPEAKS, server)
        if isinstance(timed.answer, NatPmpOnly):
            raise SpeaksNatPmp(server)
        self.server, self._watch.answers = server, True
        self._watch.join_towards(server)
        self._record(server, timed, is_proven=True)
        return server

    def _introduce(self, candidate: A) -> TimedAnswer[Announced | No]:
        """Ask a candidate whether it is there. Runs on a thread of the search's own: changes nothing here."""
        timed = self._exchanges.ask_epoch(candidate)
        if isinstance(timed.answer, Refusal) and timed.answer.result != UNSUPPORTED_OPCODE:
            raise refused(candidate, timed.answer)
        return timed

    def _is_elsewhere(self, server: A) -> bool:
        """Whether routes lead elsewhere by now, so that its silence need not be waited for first."""
        candidates = self._candidates() if self._given is None else ()
        return bool(candidates) and server not in candidates

    def _ask(self, server: A, question: Question[AnswerT | No], host: MappedHost | None = None) -> AnswerT:
        """The server's good answer. If it cannot be talked to it is forgotten, unless it was given to us.

        `host`: the one that a mapping leads to.
        """
        try:
            timed = self._exchanges.ask(server, self._ours(server), question)
            if isinstance(timed.answer, NatPmpOnly):
                raise SpeaksNatPmp(server)
        except (NoGateway, GatewayTimeout, Garbled):
            self._lose()
            raise
        self._watch.answers = True
        self._record(server, timed, is_proven=isinstance(question, Announce))
        if isinstance(timed.answer, Refusal):
            error = refused(server, timed.answer)
            raise error if host is None else host.explain(error)
        return timed.answer

    def _record(self, server: A, timed: TimedAnswer[Announced | Mapped | No], *, is_proven: bool) -> None:
        """Compare the answer with the last one, and alert if our mappings may be gone.

        The epoch of a refused mapping proves nothing: another host may have made it up, and some servers put anything
        there. If it is too low, the server is asked for its epoch alone.
        """
        now = observation_of(server, timed)
        if now is None:
            return
        if is_proven or not now.refused:
            self._watch.record(now)
        elif self._watch.contradicts(now):
            try:
                confirmed = self._exchanges.ask_epoch(server)
            except NATError as error:
                log.debug("%s cannot be asked for its epoch: %s", server, error)
            else:
                self._record(server, confirmed, is_proven=True)

    def _ours(self, server: A) -> A:
        """Our own address towards the server; without one the server is forgotten."""
        try:
            return self._exchanges.own_address(server)
        except NoGateway:
            self._lose()
            raise

    def _lose(self) -> None:
        self.server, self._watch.answers = self._given, False

    # On any thread --------------------------------------------------------------------------------------------

    def _is_free(self, protocol: Protocol, external_port: int) -> bool:
        server = self.server
        if server is None:
            raise NoGateway("the server has been lost meanwhile")
        return self._exchanges.is_free(server, protocol, external_port)

    def _expected(self) -> Sequence[A]:
        """Whose announcements count: our server's, or while we have none those of the candidates."""
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
