"""One mapping, as several tests ask a backend for it."""

from portmap.model import Grant, Protocol
from portmap_upnp import Upnp

TCP, UDP = Protocol.TCP, Protocol.UDP
PORT = 20404


def add(upnp: Upnp, external_port: int = 0, name: str = "node", lifetime: int = 600) -> Grant:
    return upnp.add_mapping(TCP, external_port, PORT, name, lifetime, client=None)
