"""check_port(): one port, checked from inside and from outside; one verdict.

The order: does something listen here; does the router loop back; the responder's word. Only the responder is a third
party, and only where the user named one. Bounded: each step has a deadline.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from http import HTTPStatus
from ipaddress import IPv6Address
from typing import Protocol as Interface

from portmap.errors import PortmapError, Refused
from portmap.model import Address, PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket, listening
from portmap.reachability.echo import EchoAnswer
from portmap.reachability.hairpin import hairpin_tcp, hairpin_udp
from portmap.reachability.observations import HairpinResult, Listens, Observations, Word
from portmap.reachability.temporary_listener import TemporaryListener
from portmap.reachability.verdict import Reachability, judge

HEARD = 2.0  # seconds that a datagram may take after the responder said that it was sent
HEARD_BYTES = 12  # of the token: a STUN answer has room for no more (RFC 8489 §5)
ACCEPTED = 0.5  # seconds until a connection that was made is seen at our own socket
PATIENCE = 3  # times that a responder is asked again which was asked too often: the others of this address ask it, too
AGAIN = 1.1  # seconds; a responder of ours checks for an address once a second

Sockets = Callable[[tuple[int, ...]], tuple[ListeningSocket, ...] | None]


class RemoteHost(Interface):
    """A host outside that tries a port: EchoClient, or StunResponder for UDP."""

    def check(self, port: int, protocol: Protocol, token: str = "", version: int | None = None) -> EchoAnswer:
        """Have the port tried, over this IP version, None: any. Raises PortmapError."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a port is to be reached: the external address, None where it is not known (`error` says why), and port.

    `client`: our own address that it leads to; None where that is not known. `leads_to`: another host and port that it
    leads to instead, by the gateway's table; `target_unknown`: nothing tells where it leads. `relayed`: portmap itself
    takes what arrives, and hands it on to `client`.
    """

    address: Address | None
    port: int
    error: str = ""
    client: Address | None = None
    leads_to: str = ""
    relayed: bool = False
    target_unknown: bool = False


def check_port(
    request: PortRequest,
    endpoint: Endpoint,
    responder: RemoteHost | None,
    *,
    sockets: Sockets = listening,
    hairpin: bool = True,
    interface: str | None = None,
) -> Reachability:
    """The verdict on one port. A failed probe is part of the verdict, never an error.

    `hairpin`: whether the way to the router and back is tried as well, by the `interface`; None: the routing table
    decides. What listens on another host cannot be seen from here, nor what arrives there.
    """
    found = None if request.host else sockets((request.internal_port,))
    seen = Observations(
        request.protocol,
        request.internal_port,
        endpoint.port,
        endpoint.address,
        _listens(request, found, endpoint),
        _program(request, found),
        gateway_error=endpoint.error,
        host=request.host,
        listens_at=tuple(it.address for it in _ours(request, found or ())),
        client=endpoint.client,
        leads_to=endpoint.leads_to,
        relayed=endpoint.relayed,
        target_unknown=endpoint.target_unknown,
    )
    if seen.listens is Listens.LOOPBACK_ONLY:
        return judge(seen)
    token = secrets.token_hex(8)
    with ExitStack() as stack:
        listener = _listen_for_the_check(seen, stack)
        seen = replace(seen, we_listened=listener is not None)
        if hairpin and not request.host and endpoint.address is not None and _can_hairpin(seen, listener):
            seen = replace(seen, hairpin=_hairpin(seen, endpoint.address, token, listener, interface))
        if responder is not None:
            seen = replace(seen, word=_word(seen, responder, token, listener))
    return judge(seen)


def _listens(request: PortRequest, found: tuple[ListeningSocket, ...] | None, endpoint: Endpoint) -> Listens:
    if found is None:
        return Listens.UNKNOWN
    addresses = {it.address for it in _ours(request, found)}
    if not addresses:
        return Listens.NO
    taking = {address for address in addresses if _takes(address, endpoint)}
    if taking == {IPv6Address(0)} and _version(endpoint) == 4 and _is_free(request):
        return Listens.ELSEWHERE  # it was told to take IPv6 only (IPV6_V6ONLY)
    if taking:
        return Listens.YES
    only_loopback = all(address.is_loopback for address in addresses) and not endpoint.relayed
    return Listens.LOOPBACK_ONLY if only_loopback else Listens.ELSEWHERE


def _takes(address: Address, endpoint: Endpoint) -> bool:
    """Whether a socket at this address may take what arrives by the endpoint: `::` takes IPv4 as well, as a rule."""
    version = _version(endpoint)
    if address.is_unspecified:
        return address.version == 6 or version != 6
    if version not in (None, address.version):
        return False
    return not address.is_loopback if endpoint.client is None else address == endpoint.client


def _version(endpoint: Endpoint) -> int | None:
    address = endpoint.address or endpoint.client
    return None if address is None else address.version


def _is_free(request: PortRequest) -> bool:
    """Whether the port can be had for IPv4, for a moment."""
    try:
        with TemporaryListener(request.protocol, request.internal_port):
            return True
    except PortmapError:
        return False


def _program(request: PortRequest, found: tuple[ListeningSocket, ...] | None) -> str:
    return next((it.program for it in _ours(request, found or ()) if it.program), "")


def _ours(request: PortRequest, found: tuple[ListeningSocket, ...]) -> list[ListeningSocket]:
    return [it for it in found if (it.protocol, it.port) == request.key[:2]]


def _listen_for_the_check(seen: Observations, stack: ExitStack) -> TemporaryListener | None:
    """A socket of ours where no program listens; None where it is not needed or the port cannot be had."""
    if seen.listens is not Listens.NO:
        return None
    try:
        ipv6 = isinstance(seen.external_ip, IPv6Address)
        return stack.enter_context(TemporaryListener(seen.protocol, seen.internal_port, ipv6=ipv6))
    except PortmapError:
        return None  # a privileged port, for one: the verdict says that nothing listens


def _can_hairpin(seen: Observations, listener: TemporaryListener | None) -> bool:
    """UDP can be proved by a socket of ours only, and so can what a relay takes; other TCP where anything listens."""
    program_tells = seen.protocol is Protocol.TCP and seen.listens is not Listens.NO and not seen.relayed
    return listener is not None or program_tells


def _hairpin(
    seen: Observations, address: Address, token: str, listener: TemporaryListener | None, interface: str | None
) -> HairpinResult:
    external = (address, seen.external_port)
    if seen.protocol is Protocol.TCP:
        return hairpin_tcp(external, seen.internal_port, listener, interface)
    assert listener is not None  # noqa: S101  # `_can_hairpin` saw to it
    return hairpin_udp(external, token.encode(), listener, interface)


def _word(seen: Observations, responder: RemoteHost, token: str, listener: TemporaryListener | None) -> Word:
    """The responder's word. A datagram may be lost: one that was not heard is sent a second time."""
    word = _ask(seen, responder, token, listener)
    if seen.protocol is Protocol.UDP and listener is not None and word.reachable is False:
        time.sleep(AGAIN)
        second = _ask(seen, responder, token, listener)
        return word if second.error else second
    return word


def _ask(seen: Observations, responder: RemoteHost, token: str, listener: TemporaryListener | None) -> Word:
    version = None if seen.external_ip is None else seen.external_ip.version
    began = time.monotonic()
    try:
        answer = _patiently(lambda: responder.check(seen.external_port, seen.protocol, token, version))
    except PortmapError as error:
        return Word(error=str(error))
    took = round((time.monotonic() - began) * 1000)
    if listener is None:
        return Word(answer.address, answer.reachable, took)
    if seen.protocol is Protocol.UDP:
        heard = listener.received(token.encode()[:HEARD_BYTES], HEARD)
        return Word(answer.address, heard, round((time.monotonic() - began) * 1000))
    elsewhere = answer.reachable is True and not listener.accepted(frozenset(), ACCEPTED)
    return Word(answer.address, answer.reachable, took, elsewhere=elsewhere)


def _patiently(ask: Callable[[], EchoAnswer]) -> EchoAnswer:
    """Ask; again where the responder says that it was asked too often, as for the second of two ports."""
    for _ in range(PATIENCE):
        try:
            return ask()
        except Refused as error:
            if error.code != HTTPStatus.TOO_MANY_REQUESTS:
                raise
        time.sleep(AGAIN)
    return ask()
