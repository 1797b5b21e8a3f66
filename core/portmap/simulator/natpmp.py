"""NAT-PMP as the gateway speaks it: request bytes -> request -> answer bytes (RFC 6886).

Law: pure; the state holds the state, time is an argument. Where the RFC leaves room it does as miniupnpd: a taken
external port gives the next free one, no external address is result 3.
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


class Result(IntEnum):
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


@dataclass(frozen=True, slots=True)
class UnsupportedRequest:
    """A request that only deserves an error: the opcode to answer with and the result."""

    heard: ClassVar[str] = "unknown"
    opcode: int
    result: Result


Request: TypeAlias = AddressRequest | MapRequest | UnmapRequest | UnsupportedRequest


def read(data: bytes) -> Request | None:
    """Understand a datagram; None for what a gateway silently drops: answers, and what is too short."""
    if len(data) < 2:
        return None
    version, opcode = data[0], data[1]
    if version != VERSION:
        return UnsupportedRequest(opcode | ANSWER, Result.UNSUPPORTED_VERSION)
    if opcode & ANSWER:
        return None  # §3.5: a server ignores opcodes from 128 on
    if opcode == OP_ADDRESS:
        return AddressRequest()
    if opcode not in OP_MAP:
        return UnsupportedRequest(opcode | ANSWER, Result.UNSUPPORTED_OPCODE)
    return _read_map(OP_MAP[opcode], data) if len(data) >= 12 else None


def _read_map(protocol: Protocol, data: bytes) -> Request:
    internal_port, external_port, lifetime = struct.unpack_from("!HHI", data, 4)
    if lifetime == 0:
        return UnmapRequest(protocol, internal_port)
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
        case UnsupportedRequest(_, Result.UNSUPPORTED_VERSION) if not state.quirks.r_bit_in_version_error:
            return _head(0, Result.UNSUPPORTED_VERSION, state, now)  # §3.5 shows Vers 0, OP 0: the R bit is clear
        case UnsupportedRequest(opcode, result):
            return _head(opcode, result, state, now)


def announcement(state: RouterState, now: float) -> bytes:
    """What is said to all when the address changes or the table is lost: an answer that nobody asked for (§3.2.1)."""
    return _address(state, now)


def _head(opcode: int, result: int, state: RouterState, now: float) -> bytes:
    return struct.pack("!BBHI", VERSION, opcode, result, state.epoch(now))


def _address(state: RouterState, now: float) -> bytes:
    address = state.address(now)
    result = Result.NETWORK_FAILURE if address is None else Result.SUCCESS
    return _head(ANSWER | OP_ADDRESS, result, state, now) + (address.packed if address else bytes(4))


def _map(request: MapRequest, client: str, state: RouterState, now: float) -> bytes:
    result = _refusal(request, state, now)
    entry = None if result else _grant(request, client, state, now)
    if entry is None:
        result, external_port, lifetime = result or Result.OUT_OF_RESOURCES, 0, 0
    else:
        external_port, lifetime = state.told_port(entry), entry.lifetime
    head = _head(ANSWER | OPCODE[request.protocol], result, state, now)
    return head + struct.pack("!HHI", state.told_internal_port(request.internal_port), external_port, lifetime)


def _refusal(request: MapRequest, state: RouterState, now: float) -> int:
    quirks = state.quirks
    objections = (
        (quirks.pmp_result is not None, quirks.pmp_result or 0),
        (state.address(now) is None, Result.NETWORK_FAILURE),
        (request.internal_port == 0 and not quirks.vpn_gateway, Result.NOT_AUTHORIZED),
        (quirks.no_port_zero and request.external_port == 0, Result.OUT_OF_RESOURCES),
        (state.forbids(request.external_port or request.internal_port), Result.NOT_AUTHORIZED),
    )
    return next((result for stands, result in objections if stands), Result.SUCCESS)


def _grant(request: MapRequest, client: str, state: RouterState, now: float) -> Entry | None:
    """Renew what the client has (§3.3: a repeated request gets the same answer), else find it a port."""
    wanted = request.external_port or request.internal_port
    wish = Entry(request.protocol, wanted, client, request.internal_port, request.lifetime, "NAT-PMP")
    port = state.port_for(wish, now)
    return None if port is None else state.grant(replace(wish, external_port=port), now)


def _unmap(request: UnmapRequest, client: str, state: RouterState, now: float) -> bytes:
    """Remove, and answer success whether or not there was anything (§3.4)."""
    for entry in state.table.alive(now):
        whose = entry.internal_client == client and entry.protocol == request.protocol
        if whose and state.means(request.internal_port, entry):
            state.remove(entry)
    head = _head(ANSWER | OPCODE[request.protocol], Result.SUCCESS, state, now)
    return head + struct.pack("!HHI", request.internal_port, 0, 0)
