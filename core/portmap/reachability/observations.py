"""What was measured for one port, before anything is concluded from it. Values only."""

from dataclasses import dataclass
from enum import StrEnum

from portmap.model import Address, Protocol


class Listens(StrEnum):
    """What the host's socket table says of the internal port."""

    YES = "yes"
    LOOPBACK_ONLY = "on a loopback address only"
    ELSEWHERE = "on an address only that the port does not lead to"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HairpinResult:
    """A connection from inside to the external address. `proved`: it arrived here; else `detail` says why not."""

    proved: bool
    ms: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """What a responder said, and for UDP what a socket of ours then received. `error`: why there is no word.

    `reachable` is None where nothing can tell: a UDP datagram that only the program on the port can hear. `elsewhere`:
    something was reached, but not the socket of ours that listened.
    """

    address: Address | None = None
    reachable: bool | None = None
    ms: int = 0
    error: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Observations:
    """What was measured for one port. `word` is None where no responder was named, `loop` where it was not tried.

    `listens_at`: the addresses of the program's sockets; `client`: our address that the port leads to, where it is
    known. `we_listened`: a socket of ours listened, since no program did. `host`: the neighbour that the port leads to,
    empty for this host. `leads_to`: where it leads instead, by the gateway's table; `target_unknown`: neither a table
    nor a running portmap tells. `relayed`: portmap takes what arrives and hands it on to `client`, so a connection that
    was accepted is not yet one that the program has.
    """

    protocol: Protocol
    internal_port: int
    external_port: int
    external_ip: Address | None = None
    listens: Listens = Listens.UNKNOWN
    program: str = ""
    we_listened: bool = False
    hairpin: HairpinResult | None = None
    word: Word | None = None
    gateway_error: str = ""
    host: str = ""
    listens_at: tuple[Address, ...] = ()
    client: Address | None = None
    leads_to: str = ""
    target_unknown: bool = False
    relayed: bool = False
