"""Requests for pinholes that the tests share."""

from ipaddress import IPv6Address

from portmap.simulator.pcp.packets import Map
from portmap.simulator.pcp.rules import NOWHERE
from portmap.simulator.state import RouterState
from portmap.testing import Quirks

NOW = 1007.0
US, NEIGHBOUR = "2a00:77::2", "2a00:77::3"
NONCE, OTHER_NONCE = bytes(range(1, 13)), bytes(12)
REQUEST = Map(IPv6Address(US), 600, NONCE, 6, 8080, 0, NOWHERE[0])


def state(quirks: Quirks | None = None) -> RouterState:
    return RouterState("203.0.113.7", quirks or Quirks(), booted=1000.0)


def opened(to: RouterState, now: float = NOW) -> list[tuple[str, str, int, int]]:
    return [(it.protocol, it.client, it.port, it.lifetime) for it in to.pinholes.alive(now)]


def request(requested: Map) -> bytes:
    return b"\2\1\0\0" + requested.lifetime.to_bytes(4) + requested.client.packed + requested.encode_body()
