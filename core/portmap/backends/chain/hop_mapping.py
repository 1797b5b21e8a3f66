"""HopMapping: what each hop holds of one mapping, and the token that keeps all of them over a restart. Pure.

ChainRequest: what the chain as a whole is asked for.

A token comes back from a file, or from another portmap: whatever makes no sense in it is no token.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple

from portmap.model import MAX_PORT, Address, Protocol


class ChainRequest(NamedTuple):
    """What is asked of the chain as a whole; the fields are those of the hook `add_mapping`."""

    protocol: Protocol
    external_port: int
    internal_port: int
    name: str
    lifetime: int
    exact: bool
    client: Address | None


@dataclass(frozen=True, slots=True)
class HopMapping:
    """At one gateway: it forwards `external_port` to `internal_port` of `client`, which is None for this host.

    `token` is what the gateway's own backend wants back with it.
    """

    client: Address | None
    internal_port: int
    external_port: int
    token: str = ""

    def leads_to(self, client: Address | None, internal_port: int) -> bool:
        """Whether this is where it forwards to."""
        return (self.client, self.internal_port) == (client, internal_port)


def to_token(hops: Sequence[HopMapping]) -> str:
    """All hops of one mapping as text, the innermost first."""
    rows = [[str(it.client or ""), it.internal_port, it.external_port, it.token] for it in hops]
    return json.dumps(rows, separators=(",", ":"))


def from_token(token: str, most: int) -> tuple[HopMapping, ...]:
    """The hops in a token; none where it is not the token of a chain of `most` hops, or fewer."""
    try:
        hops = tuple(_hop(*row) for row in json.loads(token))
    except (ValueError, TypeError, RecursionError):
        return ()
    return hops if len(hops) <= most else ()


def _hop(client: Any, internal_port: Any, external_port: Any, token: Any) -> HopMapping:
    """One row of a token. Raises ValueError or TypeError for what is none."""
    if not isinstance(client, str) or not isinstance(token, str):
        raise TypeError("no text")
    for port in (internal_port, external_port):
        if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= MAX_PORT:
            raise ValueError("no port")
    return HopMapping(ip_address(client) if client else None, internal_port, external_port, token)
