"""What is wrong with the simulated router: named switches, each one bug that a real router has, all combinable.

Law: data only; a switch's own words stand in its metadata (`says`), for people, docs and command lines. The effects
are where the behaviour is: `wire` (bytes under way), `box` (what is granted), `natpmp` and `igd` (what is answered).
"""

from dataclasses import dataclass, field, fields
from typing import TypeVar

T = TypeVar("T")


def _switch(off: T, says: str) -> T:
    switch: T = field(default=off, metadata={"says": says})
    return switch


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """A router's character. The default is a router without a fault."""

    # Under way: UDP and HTTP alike, except where it says so.
    loss: float = _switch(0.0, "the share of datagrams that is lost, each way")
    lost_first: int = _switch(0, "so many datagrams to the router are lost before one gets through")
    delay: float = _switch(0.0, "seconds that every answer takes")
    silent: bool = _switch(off=False, says="hears everything, does it, and never answers")
    garbage: bool = _switch(off=False, says="answers with as many random bytes")
    truncated: bool = _switch(off=False, says="answers with the first half only")
    wrong_sender: bool = _switch(off=False, says="datagrams are answered from another address")

    # What is granted.
    conflicts: frozenset[int] = _switch(frozenset(), "external ports that somebody else holds")
    other_port: bool = _switch(off=False, says="never grants the external port that was asked for, where it may choose")
    caps_lifetime: int | None = _switch(None, "grants at most so many seconds, also where permanent was asked")
    success_without_effect: bool = _switch(off=False, says="says yes and maps nothing")
    wan_down: bool = _switch(off=False, says="has no external address: NAT-PMP result 3, UPnP Disconnected")

    # NAT-PMP.
    pmp_result: int | None = _switch(None, "refuses to map with this result code (RFC 6886 section 3.5)")

    # UPnP.
    upnp_error: int | None = _switch(None, "refuses to map with this errorCode")
    only_permanent: bool = _switch(off=False, says="refuses every lifetime with 725 OnlyPermanentLeasesSupported")
    permanent_as_402: bool = _switch(off=False, says="refuses every lifetime with 402 Invalid Args")
    secure_mode: bool = _switch(off=False, says="maps to the asking host only: 606 (IGD:2) or 718 (IGD:1)")


def catalogue() -> dict[str, str]:
    """Every switch and what it does, in words."""
    return {switch.name: switch.metadata["says"] for switch in fields(Quirks)}
