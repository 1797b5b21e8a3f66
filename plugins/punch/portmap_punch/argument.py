"""The ARGUMENT of `punch:ARGUMENT`: STUN servers, and how packets from new peers reach the application. Pure.

`punch:stun.example.org`, `punch:a.example:3478+b.example`, `punch:a.example+b.example?forward=nft`.
"""

from dataclasses import dataclass
from enum import StrEnum

from portmap.errors import SpecError
from portmap.wire.stun.servers import Server, parse_servers

FORM = "write punch:SERVER+SERVER, as in punch:stun.example.org+stun.example.net:3478"


class Forward(StrEnum):
    """How packets from outside reach the application."""

    RELAY = "relay"
    """portmap hands them on: the application sees this host as their source."""
    NFT = "nft"
    """The kernel redirects them, the source stays (Linux, root)."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What was asked for."""

    servers: tuple[Server, ...]
    forward: Forward = Forward.RELAY

    def __str__(self) -> str:
        option = "" if self.forward is Forward.RELAY else f"?forward={self.forward}"
        return "+".join(map(str, self.servers)) + option


def parse_argument(text: str | None) -> Argument:
    """The argument's value. Raises SpecError."""
    if not text:
        raise SpecError(f"punch needs a STUN server that you name: {FORM}")
    servers, mark, options = text.partition("?")
    return Argument(parse_servers(servers), _forward(options) if mark else Forward.RELAY)


def _forward(options: str) -> Forward:
    name, _, value = options.partition("=")
    if name != "forward" or value not in set(Forward):
        raise SpecError(f"punch: the option is unknown: it takes ?forward=relay or ?forward=nft; {FORM}")
    return Forward(value)
