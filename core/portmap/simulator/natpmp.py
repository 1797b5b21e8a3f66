"""NAT-PMP, server side: request bytes -> request -> answer bytes (RFC 6886).

Pure but for the RouterState that it is given; time is an argument. Where the RFC leaves room it does as miniupnpd: a
taken external port gives the next free one, no external address is result 3.
"""

import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar, TypeAlias

from portmap.model import Protocol
from portmap.simulator.mapping_table import Entry
from portmap.simulator.state import RouterState

PORT = 5351  # RFC 6886 §1.1
VERSION = 0
ANSWER = 0x80  # set in the opcode of every answer: RFC 6886 §3.2
OP_ADDRESS = 0
OP_MAP = {1: Protocol.UDP, 2: Protocol.TCP}  # RFC 6886 §3.3
OPCODE = {protocol: opcode for opcode, protocol in OP_MAP.items()}


class NatPmpResult(IntEnum):
    """RFC 6886 §3.5."""

    SUCCESS = 0
    UNSUPPORTED_VERSION = 1
    NOT_AUTHORIZED = 2
    NETWORK_FAILURE = 3
    OUT_OF_RESOURCES = 4
    UNSUPPORTED_OPCODE = 5


@dataclass(frozen=True, slots=True)
class AddressRequest:
    """Ask for the external address (RFC 6886 §3.2)."""

    heard: ClassVar[str] = "address"


@dataclass(frozen=True, slots=True)
class MapRequest:
    """Map or renew (RFC 6886 §3.3). External port 0: you choose."""

    heard: ClassVar[str] = "map"
    protocol: Protocol
    internal_port: int
    external_port: int
    lifetime: int


@dataclass(frozen=True, slots=True)
class UnmapRequest:
    """Lifetime 0 (RFC 6886 §3.4). Internal port 0: all of this client for the protocol."""

    heard: ClassVar[str] = "unmap"
    protocol: Protocol
    internal_port: int
    external_port: int = 0


@dataclass(frozen=True, slots=True)
class UnsupportedRequest:
    """A request that only deserves an error: the opcode to answer with and the result."""

    heard: ClassVar[str] = "unknown"
    opcode: int
    result: NatPmpResult


Request: TypeAlias = AddressRequest | MapRequest | UnmapRequest | UnsupportedRequest


def read(data: bytes) -> Request | None:
    """Understand a datagram; None for what a gateway silently drops: answers, and what is too short."""
    if len(data) < 2:
        return None
    version, opcode = data[0], data[1]
    if version != VERSION:
        return UnsupportedRequest(opcode | ANSWER, NatPmpResult.UNSUPPORTED_VERSION)
    if opcode & ANSWER:
        return None  # §3.5: a server ignores opcodes from 128 on
    if opcode == OP_ADDRESS:
        return AddressRequest()
    if opcode not in OP_MAP:
        return UnsupportedRequest(opcode | ANSWER, NatPmpResult.UNSUPPORTED_OPCODE)
    return _read_map(OP_MAP[opcode], data) if len(data) >= 12 else None


def _read_map(protocol: Protocol, data: bytes) -> Request:
    internal_port, external_port, lifetime = struct.unpack_from("!HHI", data, 4)
    if lifetime == 0:
        return UnmapRequest(protocol, internal_port, external_port)
    return MapRequest(protocol, internal_port, external_port, lifetime)


def answer(request: Request, client: str, state: RouterState, now: float) -> bytes:
    """Do what is asked and say so. `client` is the sender's address."""
    match request:
        case AddressRequest():
            return _address(state, now)
        case MapRequest():
            return _map(request, client, state, now)
        case UnmapRequest():
            return _unmap(request, client, state, now)
        case UnsupportedRequest(_, NatPmpResult.UNSUPPORTED_VERSION) if not state.quirks.r_bit_in_version_error:
            return _head(0, NatPmpResult.UNSUPPORTED_VERSION, state, now)  # §3.5 shows Vers 0, OP 0: the R bit is clear
        case UnsupportedRequest(opcode, result):
            return _head(opcode, result, state, now)


def announcement(state: RouterState, now: float) -> bytes:
    """What is announced when the address changes or the table is lost: an answer to no request (§3.2.1)."""
    return _address(state, now)


def _head(opcode: int, result: int, state: RouterState, now: float) -> bytes:
    return struct.pack("!BBHI", VERSION, opcode, result, state.epoch(now))


def _address(state: RouterState, now: float) -> bytes:
    address = state.address(now)
    result = NatPmpResult.NETWORK_FAILURE if address is None else NatPmpResult.SUCCESS
    return _head(ANSWER | OP_ADDRESS, result, state, now) + (address.packed if address else bytes(4))


def _map(request: MapRequest, client: str, state: RouterState, now: float) -> bytes:
    result = _refusal(request, client, state, now)
    entry = None if result else _grant(request, client, state, now)
    if entry is None:
        return _refused(request, result or NatPmpResult.OUT_OF_RESOURCES, state, now)
    head = _head(ANSWER | OPCODE[request.protocol], NatPmpResult.SUCCESS, state, now)
    ports = state.echoed_port(request.internal_port), state.reported_port(entry)
    return head + struct.pack("!HHI", *ports, entry.lifetime)


def _refused(request: MapRequest | UnmapRequest, result: int, state: RouterState, now: float) -> bytes:
    opcode = ANSWER | OPCODE[request.protocol]
    if state.quirks.short_refusals:  # the request with another opcode, and the result in place of the reserved field
        lifetime = request.lifetime if isinstance(request, MapRequest) else 0
        ports = request.internal_port, request.external_port
        return struct.pack("!BBHHHI", VERSION, opcode, result, *ports, lifetime)
    return _head(opcode, result, state, now) + struct.pack("!HHI", state.echoed_port(request.internal_port), 0, 0)


def _refusal(request: MapRequest, client: str, state: RouterState, now: float) -> int:
    quirks, wanted = state.quirks, request.external_port or request.internal_port
    forbidden, named = state.forbids(wanted), request.external_port != 0
    objections = (
        (quirks.pmp_result is not None, quirks.pmp_result or 0),
        (state.address(now) is None, NatPmpResult.NETWORK_FAILURE),
        (request.internal_port == 0 and not quirks.vpn_gateway, NatPmpResult.NOT_AUTHORIZED),
        (quirks.no_port_zero and request.external_port == 0, NatPmpResult.OUT_OF_RESOURCES),
        (
            quirks.taken_is_4 and named and (forbidden or state.conflict(_requested(request, client), now)),
            NatPmpResult.OUT_OF_RESOURCES,
        ),
        (forbidden and not quirks.only_ports and not quirks.taken_is_4, NatPmpResult.NOT_AUTHORIZED),
    )
    return next((result for stands, result in objections if stands), NatPmpResult.SUCCESS)


def _grant(request: MapRequest, client: str, state: RouterState, now: float) -> Entry | None:
    """Renew what the client has (§3.3: a repeated request gets the same answer), else find it a port."""
    requested = _requested(request, client)
    port = state.port_for(requested, now)
    return None if port is None else state.grant(replace(requested, external_port=port), now)


def _requested(request: MapRequest, client: str) -> Entry:
    wanted = request.external_port or request.internal_port
    return Entry(request.protocol, wanted, client, request.internal_port, request.lifetime, "NAT-PMP")


def _unmap(request: UnmapRequest, client: str, state: RouterState, now: float) -> bytes:
    """Remove, and answer success whether or not there was anything (§3.4)."""
    own = [it for it in state.table.alive(now) if (it.internal_client, it.protocol) == (client, request.protocol)]
    if state.quirks.delete_by_external_port:
        meant = [entry for entry in own if entry.external_port == request.external_port]
    else:
        meant = [entry for entry in own if state.matches(request.internal_port, entry)]
    for entry in meant:
        state.remove(entry)
    if state.quirks.delete_by_external_port and not meant:
        return _refused(request, NatPmpResult.NETWORK_FAILURE, state, now)
    head = _head(ANSWER | OPCODE[request.protocol], NatPmpResult.SUCCESS, state, now)
    return head + struct.pack("!HHI", request.internal_port, 0, 0)
