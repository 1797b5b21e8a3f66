"""For any project's tests: a simulated router that misbehaves on command, and suites that prove any plugin.

The suites, and the gateways for them, need pytest and are imported when they are first used; the rest does not.

clock      ScriptedInbox
pytest     the fixtures `router` and `router_factory`
scripted   ScriptedBackend and play(): the loop on scripted time
contract/  Contract suites: one subclass proves that a plugin keeps the promises of `portmap.hookspecs`
"""

from typing import TYPE_CHECKING, Any

from portmap.simulator.handlers import Hearing
from portmap.simulator.loopback import loopback_address
from portmap.simulator.mapping_table import Entry
from portmap.simulator.quirks import Quirks
from portmap.simulator.received import Heard
from portmap.simulator.router import Router
from portmap.simulator.stun_server import StunQuirks, StunServer

if TYPE_CHECKING:
    from portmap.testing.contract import BackendContract, Gateway, PublisherContract, RouterGateway, Target

__all__ = [
    "BackendContract",
    "Entry",
    "Gateway",
    "Heard",
    "Hearing",
    "PublisherContract",
    "Quirks",
    "Router",
    "RouterGateway",
    "StunQuirks",
    "StunServer",
    "Target",
    "loopback_address",
]


def __getattr__(name: str) -> Any:
    """Import what needs pytest (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'portmap.testing' has no attribute {name!r}")
    from portmap.testing import contract  # noqa: PLC0415  # only those who test a plugin have pytest

    return getattr(contract, name)
