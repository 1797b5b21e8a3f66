"""The host that a mapping leads to, as a request names it: this one, a gateway in front of us, or a neighbour. Pure.

The server maps to the client address of the request's header, which has to be the one that the packets come from
(RFC 6887 §8.2). Behind an inner gateway that is the inner gateway's outer address. For a host of our own network the
header has our address, and the option THIRD_PARTY (§13.1) names the other one; few servers allow that.
"""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import NamedTuple

from portmap.errors import Refused
from portmap.model import Address
from portmap_pcp.options import THIRD_PARTY, Option
from portmap_pcp.packets import to_wire
from portmap_pcp.results import ADDRESS_MISMATCH, NOT_AUTHORIZED, UNSUPPORTED_OPTION

_FOR_A_NEIGHBOUR = {
    NOT_AUTHORIZED: "it was asked to map to {client}, and may let hosts map for themselves only: ask on that host",
    UNSUPPORTED_OPTION: "it was asked to map to {client}, and lets hosts map for themselves only: ask on that host",
}
_BEHIND_A_GATEWAY = {
    ADDRESS_MISMATCH: "it was asked to map to {client}, the inner gateway's outer address, and sees us at another one: "
    "is a third gateway in between?",
}


class MappedHost(NamedTuple):
    """`address` identifies the mapping; `sender` is the client address of the header; `options` name the host.

    `meanings`: what some result codes mean for such a host.
    """

    address: Address
    sender: Address
    options: tuple[Option, ...] = ()
    meanings: Mapping[int, str] = {}

    def explain(self, error: Refused) -> Refused:
        """The refusal; where it is due to the host that was asked for, it says so."""
        meaning = self.meanings.get(error.code)
        if meaning is None:
            return error
        message = f"{error}; {meaning.format(client=self.address)}"
        return type(error)(message, code=error.code, text=error.text, retry_after=error.retry_after)


def mapped_host(ours: Address, client: Address | None, is_on_link: Callable[[IPv4Address], bool]) -> MappedHost:
    """The host for a `client` as the hooks have it; `ours` is our own address towards the server."""
    if client is None or client == ours:
        return MappedHost(ours, ours)
    if isinstance(client, IPv4Address) and is_on_link(client):
        return MappedHost(client, ours, (Option(THIRD_PARTY, to_wire(client)),), _FOR_A_NEIGHBOUR)
    return MappedHost(client, client, (), _BEHIND_A_GATEWAY)
