"""What the simulated router answers to PCP MAP from an IPv6 host: a pinhole in its firewall (RFC 6887 §11, §2.2).

Pure but for the RouterState; every refusal is a `PcpRefusal`. Nothing is translated: external address and port are the
client's own, whatever it suggests. The nonce protects a pinhole as it does a mapping, which miniupnpd forgets.
"""

from dataclasses import replace

from portmap.model import Protocol
from portmap.simulator.pcp.packets import Map, PcpResult
from portmap.simulator.pcp.rules import NOWHERE, PcpRefusal, clamped, prefers_failure, suits, to_wire
from portmap.simulator.pinhole_table import Pinhole
from portmap.simulator.state import RouterState


def map_pinhole(request: Map, protocol: Protocol, client: str, state: RouterState, now: float) -> Map:
    """Open or renew."""
    _admit(request, client, state, now)
    requested = Pinhole(protocol, client, request.internal_port, clamped(request.lifetime), nonce=request.nonce.hex())
    held = state.pinholes.like(requested, now)
    if held is not None and held.nonce not in ("", requested.nonce):
        raise PcpRefusal(PcpResult.NOT_AUTHORIZED, held.remaining(now))  # §11.3
    if held is None and state.quirks.full_table:
        raise PcpRefusal(PcpResult.NO_RESOURCES)
    opened = state.open_pinhole(requested, now)
    port = 0 if state.quirks.zero_port else opened.port
    internal_port = state.echoed_port(opened.port)
    granted = replace(request, internal_port=internal_port, external_port=port, lifetime=opened.lifetime)
    return replace(granted, external_ip=to_wire(client))


def unmap_pinhole(request: Map, protocol: Protocol, client: str, state: RouterState, now: float) -> Map:
    """Shut what this nonce opened; success also where there is nothing (§15.1)."""
    mine = [it for it in state.pinholes.alive(now) if (it.client, it.protocol) == (client, protocol)]
    for pinhole in mine:
        if request.internal_port not in (0, pinhole.port):
            continue
        if pinhole.nonce in ("", request.nonce.hex()):
            state.pinholes.remove(pinhole)
        elif request.internal_port:
            raise PcpRefusal(PcpResult.NOT_AUTHORIZED, pinhole.remaining(now))
    return request


def _admit(request: Map, client: str, state: RouterState, now: float) -> None:
    """Raises PcpRefusal where such a request is not admitted."""
    quirks = state.quirks
    if quirks.pcp_result is not None:
        raise PcpRefusal(quirks.pcp_result)
    if quirks.no_pinholes or quirks.pinholes_forbidden:
        raise PcpRefusal(PcpResult.NOT_AUTHORIZED)
    if request.internal_port == 0:
        raise PcpRefusal(PcpResult.MALFORMED_REQUEST)
    if prefers_failure(request) and request.external_port == 0 and request.external_ip in NOWHERE:
        raise PcpRefusal(PcpResult.MALFORMED_OPTION)  # §13.2
    if not state.wan_up(now):
        raise PcpRefusal(PcpResult.NETWORK_FAILURE)
    if quirks.no_port_zero and request.external_port == 0:
        raise PcpRefusal(PcpResult.NO_RESOURCES)
    if state.forbids(request.internal_port):
        raise PcpRefusal(PcpResult.NOT_AUTHORIZED)
    if prefers_failure(request) and not suits(request, request.internal_port, to_wire(client)):
        raise PcpRefusal(PcpResult.CANNOT_PROVIDE_EXTERNAL)
