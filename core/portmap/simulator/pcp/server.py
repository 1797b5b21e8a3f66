"""What the simulated router answers to PCP: a request -> its answer (RFC 6887 §8.2, §11.3, §13, §14.1).

Pure but for the RouterState; time is an argument, every refusal is a `PcpRefusal`. Where the RFC leaves room it does as
miniupnpd: THIRD_PARTY is not supported, the nonce is kept in the description. FILTER is read, checked and echoed, but
the relay lets every host in. A request by IPv6 opens a pinhole: see `pinholes`.
"""

from dataclasses import replace
from ipaddress import IPv4Address

from portmap.model import Protocol
from portmap.simulator.mapping_table import Entry
from portmap.simulator.pcp.packets import (
    Announce,
    Answer,
    Filter,
    MalformedOption,
    Map,
    Op,
    Option,
    OptionCode,
    PcpResult,
    Request,
    UnsupportedPcpRequest,
    mapped,
)
from portmap.simulator.pcp.pinholes import map_pinhole, unmap_pinhole
from portmap.simulator.pcp.rules import (
    LONG,
    NOWHERE,
    SHORT,
    PcpRefusal,
    clamped,
    error_lifetime,
    prefers_failure,
    suits,
    to_wire,
)
from portmap.simulator.state import RouterState

PROTOCOLS = {6: Protocol.TCP, 17: Protocol.UDP}  # IANA's numbers
STRAY_OPTION = Option(200, b"????")  # for the quirk `extra_option`; 128 and above may be skipped
OURS = "PCP MAP "  # miniupnpd's description, followed by the nonce


def answer(request: Request, client: str, state: RouterState, now: float) -> bytes:
    """Do what is asked and say so. `client` is the sender's address."""
    try:
        return _done(request, client, state, now).encode()
    except PcpRefusal as refusal:
        lifetime = 0 if state.quirks.zero_error_lifetime else error_lifetime(refusal)
        body = b"" if state.quirks.short_errors else _copy(request, refusal.address)
        return Answer(_opcode(request), refusal.result, lifetime, state.epoch(now), body).encode()


def announcement(state: RouterState, now: float) -> bytes:
    """What is announced when the table may be lost: an answer to no request (§14.1.1)."""
    return Answer(Op.ANNOUNCE, PcpResult.SUCCESS, 0, state.epoch(now)).encode()


def _opcode(request: Request) -> int:
    match request:
        case UnsupportedPcpRequest(opcode):
            return opcode
        case Announce():
            return Op.ANNOUNCE
        case Map():
            return Op.MAP


def _copy(request: Request, address: IPv4Address | None) -> bytes:
    """What an error copies from its request (§7.2), with this external address if there is one."""
    match request:
        case UnsupportedPcpRequest():
            return request.body
        case Announce():
            return b""
        case Map():
            return (replace(request, external_ip=mapped(address)) if address else request).encode_body()


def _done(request: Request, client: str, state: RouterState, now: float) -> Answer:
    if isinstance(request, UnsupportedPcpRequest):
        raise PcpRefusal(request.result)
    if request.client != to_wire(client):
        raise PcpRefusal(PcpResult.ADDRESS_MISMATCH)  # §8.2: a NAT in between
    if isinstance(request, Announce):
        return Answer(Op.ANNOUNCE, PcpResult.SUCCESS, 0, state.epoch(now))
    understood = _understood(request.options)
    protocol = _protocol(request)
    mapping, unmapping = (map_pinhole, unmap_pinhole) if ":" in client else (_map, _unmap)
    do = mapping if request.lifetime else unmapping
    granted = do(request, protocol, client, state, now)
    stray = (STRAY_OPTION,) if state.quirks.extra_option else ()
    body = replace(granted, nonce=_nonce(granted, state), options=understood + stray).encode_body()
    return Answer(Op.MAP, PcpResult.SUCCESS, granted.lifetime, state.epoch(now), body)


def _nonce(granted: Map, state: RouterState) -> bytes:
    return bytes(byte ^ 0xFF for byte in granted.nonce) if state.quirks.wrong_nonce else granted.nonce


def _understood(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """The options that we process; the others may be skipped, or are refused (§7.3)."""
    known = tuple(option for option in options if option.mandatory)
    if any(option.code not in (OptionCode.PREFER_FAILURE, OptionCode.FILTER) for option in known):
        raise PcpRefusal(PcpResult.UNSUPP_OPTION)
    failure = [option for option in known if option.code == OptionCode.PREFER_FAILURE]
    if len(failure) > 1 or any(option.data for option in failure):  # §13.2: at most once, and empty
        raise PcpRefusal(PcpResult.MALFORMED_OPTION)
    try:
        for option in known:
            if option.code == OptionCode.FILTER:
                Filter.read(option.data)
    except MalformedOption as error:
        raise PcpRefusal(PcpResult.MALFORMED_OPTION) from error
    return known


def _protocol(request: Map) -> Protocol:
    if request.protocol == 0 and request.internal_port != 0:
        raise PcpRefusal(PcpResult.MALFORMED_REQUEST)  # §11.1: all protocols means all ports
    if request.protocol not in PROTOCOLS:
        raise PcpRefusal(PcpResult.UNSUPP_PROTOCOL)
    return PROTOCOLS[request.protocol]


def _unmap(request: Map, protocol: Protocol, client: str, state: RouterState, now: float) -> Map:
    """Delete what this nonce made; success also where there is nothing (§15.1)."""
    mine = [it for it in state.table.alive(now) if (it.internal_client, it.protocol) == (client, protocol)]
    meant = [entry for entry in mine if state.matches(request.internal_port, entry)]
    others = [entry for entry in meant if not _made_by(request, entry)]
    if others and request.internal_port:
        raise PcpRefusal(PcpResult.NOT_AUTHORIZED, _left(others[0], now))
    for entry in meant:
        if entry not in others:
            state.remove(entry)
    return request


def _map(request: Map, protocol: Protocol, client: str, state: RouterState, now: float) -> Map:
    address = _admitted(request, state, now)
    wanted = request.external_port or request.internal_port
    requested = Entry(
        protocol, wanted, client, request.internal_port, clamped(request.lifetime), OURS + request.nonce.hex()
    )
    held = _held(request, protocol, client, state, now)
    if held is not None and not _made_by(request, held):
        raise PcpRefusal(PcpResult.NOT_AUTHORIZED, _left(held, now))  # §11.3
    port = held.external_port if held else state.port_for(requested, now)
    if prefers_failure(request) and not suits(request, port, mapped(address)):
        raise PcpRefusal(PcpResult.CANNOT_PROVIDE_EXTERNAL, _until_free(requested, state, now))
    if port is None:
        raise PcpRefusal(PcpResult.NO_RESOURCES)
    renewed = state.quirks.pcp_no_renewal and held is not None
    entry = (
        replace(requested, external_port=port) if renewed else state.grant(replace(requested, external_port=port), now)
    )
    internal_port, external_port = state.echoed_port(request.internal_port), state.reported_port(entry)
    granted = replace(request, internal_port=internal_port, external_port=external_port, lifetime=entry.lifetime)
    return replace(granted, external_ip=mapped(address))


def _admitted(request: Map, state: RouterState, now: float) -> IPv4Address:
    """The external address, if such a request is admitted at all."""
    quirks = state.quirks
    if quirks.pcp_result is not None:
        raise PcpRefusal(quirks.pcp_result)
    if request.internal_port == 0 and not quirks.vpn_gateway:
        raise PcpRefusal(PcpResult.MALFORMED_REQUEST)  # as miniupnpd: it cannot map all ports
    if prefers_failure(request) and request.external_port == 0 and request.external_ip in NOWHERE:
        raise PcpRefusal(PcpResult.MALFORMED_OPTION)  # §13.2: there is nothing to prefer failure to
    if quirks.refuses_private:  # as miniupnpd 2.3
        raise PcpRefusal(PcpResult.NO_RESOURCES, SHORT, state.assigned_address(now))
    address = state.address(now)
    if address is None:
        raise PcpRefusal(PcpResult.NETWORK_FAILURE)
    if quirks.no_port_zero and request.external_port == 0:
        raise PcpRefusal(PcpResult.NO_RESOURCES)
    if state.forbids(request.external_port or request.internal_port) and not quirks.only_ports:
        raise PcpRefusal(PcpResult.NOT_AUTHORIZED)
    return address


def _held(request: Map, protocol: Protocol, client: str, state: RouterState, now: float) -> Entry | None:
    if not state.quirks.vpn_gateway:
        return state.table.held_by(client, protocol, request.internal_port, now)
    alive = (it for it in state.table.alive(now) if (it.internal_client, it.protocol) == (client, protocol))
    return next((entry for entry in alive if state.matches(request.internal_port, entry)), None)


def _made_by(request: Map, entry: Entry) -> bool:
    """Whether the nonce is right; what another protocol made has none."""
    return not entry.description.startswith(OURS) or entry.description == OURS + request.nonce.hex()


def _until_free(requested: Entry, state: RouterState, now: float) -> int | None:
    """Seconds for which the port that was wanted is held; None where no mapping holds it."""
    holder = state.table.at(requested.protocol, requested.external_port, now)
    return _left(holder, now) if holder else None


def _left(entry: Entry, now: float) -> int:
    return entry.remaining(now) or LONG  # a permanent one, by UPnP
