"""NatType: how a NAT maps and filters, and what that means for hole punching (RFC 4787 §4 and §5, RFC 5780). Pure."""

from dataclasses import dataclass
from enum import StrEnum

from portmap.wire.stun.message import Endpoint


class Behaviour(StrEnum):
    """What a mapping, or a filter, depends on (RFC 4787)."""

    ENDPOINT_INDEPENDENT = "endpoint-independent"
    ADDRESS_DEPENDENT = "address-dependent"
    ADDRESS_AND_PORT_DEPENDENT = "address-and-port-dependent"
    DEPENDENT = "dependent on the destination"  # which of the two cannot be told without a server of RFC 5780
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Mappings:
    """What the servers saw of one local port. `other_*`: None where the server has no second address (RFC 5780).

    `second`: as the second server that the user named saw it.
    """

    local: Endpoint
    first: Endpoint
    second: Endpoint | None = None
    other_address: Endpoint | None = None
    other_address_and_port: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Filtered:
    """Which answers came through to a port that had sent to one address only; None where it could not be asked."""

    from_other_address: bool | None = None
    from_other_port: bool | None = None


@dataclass(frozen=True, slots=True)
class NatType:
    """How the NATs on the way, taken together, treat this host's UDP. `external`: as the first server saw it."""

    external: Endpoint
    translated: bool
    mapping: Behaviour
    filtering: Behaviour
    loops_back: bool | None = None

    @property
    def meaning(self) -> str:
        """What this means for hole punching, in a sentence."""
        if not self.translated:
            return "no NAT is on the way: the port is reachable as it stands, unless a firewall filters it"
        if self.mapping is Behaviour.ENDPOINT_INDEPENDENT:
            if self.filtering is Behaviour.ENDPOINT_INDEPENDENT:
                return "any host can reach a port that is kept open (full cone): `--nat punch:SERVER` opens ports here"
            return "hole punching works with peers that send at the same time; other hosts are filtered"
        if self.mapping is Behaviour.UNKNOWN:
            return "too few answers came to say what hole punching can do"
        return "the NAT maps each destination to another port (symmetric): hole punching fails with most peers"


def nat_type(seen: Mappings, filtered: Filtered, *, loops_back: bool | None = None) -> NatType:
    """The judgement on what was seen."""
    return NatType(seen.first, seen.first != seen.local, _mapping(seen), _filtering(filtered), loops_back)


def _mapping(seen: Mappings) -> Behaviour:
    """RFC 5780 §4.3; with plain servers, whether two of them see the same."""
    if seen.other_address is not None:
        if seen.other_address == seen.first:
            return Behaviour.ENDPOINT_INDEPENDENT
        if seen.other_address_and_port is None:
            return Behaviour.DEPENDENT
        if seen.other_address_and_port == seen.other_address:
            return Behaviour.ADDRESS_DEPENDENT
        return Behaviour.ADDRESS_AND_PORT_DEPENDENT
    if seen.second is None:
        return Behaviour.UNKNOWN
    return Behaviour.ENDPOINT_INDEPENDENT if seen.second == seen.first else Behaviour.DEPENDENT


def _filtering(filtered: Filtered) -> Behaviour:
    """RFC 5780 §4.4."""
    if filtered.from_other_address:
        return Behaviour.ENDPOINT_INDEPENDENT
    if filtered.from_other_address is None or filtered.from_other_port is None:
        return Behaviour.UNKNOWN
    return Behaviour.ADDRESS_DEPENDENT if filtered.from_other_port else Behaviour.ADDRESS_AND_PORT_DEPENDENT
