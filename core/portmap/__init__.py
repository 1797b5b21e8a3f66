"""portmap keeps ports open through any NAT.

As a library::

    with portmap.open("pmp:192.168.1.1", ["30303/both"]) as session:
        session.wait(10)
        for event in session.events():
            print(event)

`open` keeps ports open, `load` gives a backend for one-shot calls, `setup_port_mapping` is the dispatcher for a node of
your own. Plugin authors start at `portmap.hookspecs`.
"""

from portmap.dispatch import setup_port_mapping
from portmap.errors import (
    Conflict,
    Garbled,
    GatewayTimeout,
    NATError,
    NoGateway,
    NotAuthorized,
    OnlyPermanentLeases,
    OutOfResources,
    PluginError,
    PortmapError,
    Refused,
    SpecError,
)
from portmap.events import Event
from portmap.hookspecs import hookimpl
from portmap.model import Grant, Kind, Mapping, PortRequest, Protocol, Scope, scope_of
from portmap.nat import Nat, load
from portmap.node import LocalNode, Record
from portmap.session import Session
from portmap.session import open_session as open  # noqa: A004  # portmap.open reads best

__version__ = "0.1.0"

__all__ = [
    "Conflict",
    "Event",
    "Garbled",
    "GatewayTimeout",
    "Grant",
    "Kind",
    "LocalNode",
    "Mapping",
    "NATError",
    "Nat",
    "NoGateway",
    "NotAuthorized",
    "OnlyPermanentLeases",
    "OutOfResources",
    "PluginError",
    "PortRequest",
    "PortmapError",
    "Protocol",
    "Record",
    "Refused",
    "Scope",
    "Session",
    "SpecError",
    "hookimpl",
    "load",
    "open",
    "scope_of",
    "setup_port_mapping",
]
