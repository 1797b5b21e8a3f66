"""For everybody's tests: a simulated router that misbehaves on command, and suites that prove any plugin.

The suites, and the gateways for them, need pytest and are imported when they are first used; the rest does not.
"""

from typing import TYPE_CHECKING, Any

from portmap.testing.front import Hearing
from portmap.testing.heard import Heard
from portmap.testing.loopback import loopback_address
from portmap.testing.quirks import Quirks
from portmap.testing.router import Router
from portmap.testing.stunserver import StunQuirks, StunServer
from portmap.testing.table import Entry

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
