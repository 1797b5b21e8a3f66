"""portmap keeps ports open through any NAT.

As a library::

    with portmap.open("pmp:192.168.1.1", ["30303/both"]) as session:
        session.wait(10)
        for event in session.events():
            print(event)

`open` keeps ports open, `load` gives a backend for one-shot calls, `setup_port_mapping` is the dispatcher for a node of
your own. Plugin authors start at `portmap.hookspecs`.

The names below are imported when they are first used: a command that only prints its version pays for none of them.

backoff        how long to wait after a failure; pure
endpoints      Endpoints: the state that a publisher makes true
errors         the error tree, and the name of an error for JSON
events         every event: gateway, address, mapping, pinhole, record, publisher
gateway_names  the addresses in the name of a gateway; pure
hookspecs      the hooks, and the plugin author's guide
model          Kind, Protocol, Scope, PortRequest, Grant, Listed, Mapping
printable      printable: text from the network, safe to show
backends/      One backend, called safely: a spec becomes a `Nat`, every answer is checked
cli/           The command `portmap`: words in, lines out, an exit code
config/        What shall run: flags, environment and file, resolved into instances
dispatch/      The paths: none, static or loop, chosen by the kind that the backend declares
doctor/        `portmap doctor`: probes collect findings, rules give one verdict
host/          The host that we run on: files, the environment of programs that we start, other portmaps
loading/       Plugins: found by entry point, loaded and validated one by one, within a time limit
loop/          The core loop: leases, their renewal, the gateway and what changes
network/       This host's side of the network: routes, addresses and their changes
node/          The node's public record, and where each of its entries comes from
publishers/    Publishers: each gets the open ports, on a thread of its own, again until it succeeds
reachability/  Proof from outside: whether a port can really be reached
scaffold/      A package to start a plugin from: it works, its contract test passes, and the rest is the author's
session/       The library's front: `portmap.open`, sessions, events, asyncio and trio
simulator/     A simulated router and STUN server, for tests and the demo
storage/       What outlives a process: the journal of what is held, and the status of each session
syntax/        What a user writes, as values: specs, mappings, durations
testing/       For tests: a simulated router that misbehaves on command, and suites that test any plugin
wire/          Tools for plugins that speak on the network: one UDP exchange, a fan-out, announcements, HTTP
"""

from importlib import import_module

TYPE_CHECKING = False  # as typing's, which takes 10 ms to import
if TYPE_CHECKING:
    from typing import Any

    from portmap.backends.load import load
    from portmap.backends.nat import Nat
    from portmap.dispatch.port_mapping import setup_port_mapping
    from portmap.errors import (
        Conflict,
        Garbled,
        GatewayTimeout,
        NATError,
        NoGateway,
        NoPublicAddress,
        NotAuthorized,
        NotYet,
        OnlyPermanentLeases,
        OutOfResources,
        PluginError,
        PortmapError,
        Refused,
        SpecError,
        UnverifiedGateway,
    )
    from portmap.events import (
        Event,
        ExternalIPChanged,
        ExternalIPEvent,
        ExternalIPFailed,
        GatewayEvent,
        GatewayFound,
        GatewayLost,
        GatewayRebooted,
        MappingReachable,
        MappingUnreachable,
        NetworkChanged,
        PortAdded,
        PortChanged,
        PortEvent,
        PortFailed,
        PortLost,
        PortRemoved,
        PortRenewed,
        ProofEvent,
        PublisherEvent,
        PublisherFailed,
        PublisherOk,
        RecordChanged,
    )
    from portmap.hookspecs import hookimpl
    from portmap.loop.policy import OnConflict
    from portmap.model import Grant, Kind, Mapping, PortRequest, Protocol, Scope, scope_of
    from portmap.node.local_node import LocalNode, Record
    from portmap.reachability.verdict import Reachability, Verdict
    from portmap.session.aio import AsyncSession, aopen
    from portmap.session.check import check
    from portmap.session.open import open  # noqa: A004  # portmap.open reads best
    from portmap.session.session import Session

__version__ = "0.1.0"

__all__ = [
    "AsyncSession",
    "Conflict",
    "Event",
    "ExternalIPChanged",
    "ExternalIPEvent",
    "ExternalIPFailed",
    "Garbled",
    "GatewayEvent",
    "GatewayFound",
    "GatewayLost",
    "GatewayRebooted",
    "GatewayTimeout",
    "Grant",
    "Kind",
    "LocalNode",
    "Mapping",
    "MappingReachable",
    "MappingUnreachable",
    "NATError",
    "Nat",
    "NetworkChanged",
    "NoGateway",
    "NoPublicAddress",
    "NotAuthorized",
    "NotYet",
    "OnConflict",
    "OnlyPermanentLeases",
    "OutOfResources",
    "PluginError",
    "PortAdded",
    "PortChanged",
    "PortEvent",
    "PortFailed",
    "PortLost",
    "PortRemoved",
    "PortRenewed",
    "PortRequest",
    "PortmapError",
    "ProofEvent",
    "Protocol",
    "PublisherEvent",
    "PublisherFailed",
    "PublisherOk",
    "Reachability",
    "Record",
    "RecordChanged",
    "Refused",
    "Scope",
    "Session",
    "SpecError",
    "UnverifiedGateway",
    "Verdict",
    "aopen",
    "check",
    "hookimpl",
    "load",
    "open",
    "scope_of",
    "setup_port_mapping",
]

_HOMES = {
    "backends.load": ("load",),
    "backends.nat": ("Nat",),
    "dispatch.port_mapping": ("setup_port_mapping",),
    "events": (
        "Event",
        "ExternalIPChanged",
        "ExternalIPEvent",
        "ExternalIPFailed",
        "GatewayEvent",
        "GatewayFound",
        "GatewayLost",
        "GatewayRebooted",
        "NetworkChanged",
        "PortAdded",
        "PortChanged",
        "PortEvent",
        "PortFailed",
        "PortLost",
        "PortRemoved",
        "PortRenewed",
        "PublisherEvent",
        "PublisherFailed",
        "PublisherOk",
        "RecordChanged",
        "MappingReachable",
        "MappingUnreachable",
        "ProofEvent",
    ),
    "hookspecs": ("hookimpl",),
    "loop.policy": ("OnConflict",),
    "model": ("Grant", "Kind", "Mapping", "PortRequest", "Protocol", "Scope", "scope_of"),
    "node.local_node": ("LocalNode",),
    "node.record": ("Record",),
    "reachability.verdict": ("Reachability", "Verdict"),
    "session.aio": ("AsyncSession", "aopen"),
    "session.check": ("check",),
    "session.open": ("open",),
    "session.session": ("Session",),
}


def __getattr__(name: str) -> "Any":
    """Import a public name from its home (PEP 562); what has no home in the table is an error class."""
    if name not in __all__:
        raise AttributeError(f"module 'portmap' has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), "errors")
    return getattr(import_module(f"portmap.{home}"), name)
