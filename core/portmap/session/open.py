"""`portmap.open`: from arguments to a running session. Nothing is sent before all of them make sense."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from portmap.backends.load import load, load_ipv6
from portmap.backends.nat import Nat
from portmap.dispatch.path_setup import EventTranslator, PathSetup, PinholeTranslator, unchanged
from portmap.errors import PortmapError, SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.loop.policy import CHECK_INTERVAL, OnConflict, Policy
from portmap.model import MAX_LIFETIME, Kind, PortRequest
from portmap.node.local_node import LocalNode
from portmap.session.session import Session
from portmap.storage.no_status_file import NoStatusFile
from portmap.syntax.mappings import MappingLike, check_distinct, check_openable, to_requests
from portmap.syntax.plugin_specs import chain_text, on_interface, shown_spec

if TYPE_CHECKING:
    from portmap.publishers.runner import PublisherRunner
    from portmap.reachability.prove_setting import ProveSetting
    from portmap.storage.journal_store import JournalStore
    from portmap.storage.open_ports_reader import OpenPortsReader
    from portmap.storage.status_file import StatusFile


def open(  # noqa: A001  # portmap.open reads best
    nat: str | Nat = "any",
    mappings: Iterable[MappingLike] | MappingLike = (),
    *,
    beyond: Iterable[str] | str = (),
    interface: str | None = None,
    lease: int | None = None,
    ip_interval: float = CHECK_INTERVAL,
    publish: Iterable[str] | str = (),
    node: LocalNode | None = None,
    state: str | Path | None = None,
    on_conflict: OnConflict | str = OnConflict.NEXT,
    ipv4: bool = True,
    ipv6: bool = True,
    allow_private: bool = False,
    instance: str = "",
    prove: str | None = None,
) -> Session:
    """Open ports and keep them open: `with portmap.open("pmp:192.168.1.1", ["web=443:8443", "30303/both"]) as session`.

    `nat` is a spec. `mappings` are texts `[NAME=][EXT:]INT[@HOST][/tcp|udp|both]`, ports (TCP) or PortRequests; without
    any, those that the backend has by default. `beyond` are the specs of the gateways beyond that one, where several
    stand in a row. `interface`: the network interface of this host by which they are reached, where it has several.
    `publish` are publishers' specs. One mapping or spec needs no list. `lease`: the seconds to ask for. `ip_interval`:
    the seconds between two checks of the gateway. `node`: the caller's own LocalNode. `state`: a folder that remembers
    ports over restarts and crashes. `on_conflict`: "next" takes another external port where the wanted one is taken,
    "fail" gives it back and tries again.

    `ipv6`: where this host has a global IPv6 address and the gateway can be asked, each port is let through its IPv6
    firewall as well. Without `ipv4` only that is done. `allow_private`: an address given by hand need not be public.
    `prove`: `URL[,every=DUR]` of a responder outside, which is asked again and again whether the ports can be reached.
    `instance` is the name by which `portmap status` shows it.

    Returns at once; nothing was sent yet when this raises: SpecError for what makes no sense, PluginError for a broken
    plugin.
    """
    folder = _folder(state)
    policy = Policy(_seconds(ip_interval), on_conflict=_conflict(on_conflict), allow_private=allow_private)
    nat = _chained(nat, (beyond,) if isinstance(beyond, str) else tuple(beyond), interface)
    backends = load_backends(nat, ipv4=ipv4, ipv6=ipv6)
    proof = None if prove is None else _proof(prove, backends[0])
    lifetime = _lifetime(lease, backends[0])
    wanted = _each(mappings) or backends[0].default_mappings
    requests = tuple(request for mapping in wanted for request in to_requests(mapping, lifetime))
    check_distinct(requests)
    check_openable(requests, ipv6_only=all(backend.ipv6 for backend in backends))
    publishers = _load_publishers((publish,) if isinstance(publish, str) else publish)
    setups = path_setups(backends, ipv4=ipv4, state=folder)
    shown = shown_spec(nat) if isinstance(nat, str) else str(nat)
    status = NoStatusFile() if folder is None else _status_file(folder, instance, shown, relays=backends[0].relays)
    return Session(setups, requests, publishers, policy, node, lifetime, status, proof)


def _folder(state: object) -> Path | None:
    """The state folder. Raises SpecError."""
    if state is None:
        return None
    if not isinstance(state, str | Path) or not str(state) or "\0" in str(state):
        raise SpecError(f"state {state!r} is no folder: write its path, or None to remember nothing")
    return Path(state)


def _proof(text: object, nat: Nat) -> "ProveSetting":
    if not isinstance(text, str):
        raise SpecError(f"prove {text!r} is no responder: write its URL, as in 'https://echo.example.org'")
    from portmap.reachability.prove_setting import ProveSetting  # noqa: PLC0415  # only `prove` needs it

    return ProveSetting.parse(text, "prove").at(nat.interface, relays=nat.relays)


def default_mappings(nat: str) -> tuple[str, ...]:
    """What the backend maps where the user named nothing; nothing for most. Raises SpecError and PluginError."""
    return load(nat).default_mappings


def load_backends(nat: str | Nat, *, ipv4: bool, ipv6: bool) -> tuple[Nat, ...]:
    """The gateway's backends, the main one first. Raises SpecError where what was asked for cannot be had."""
    if not (ipv4 or ipv6):
        raise SpecError("IPv4 and IPv6 are both switched off, so there is nothing to do: allow one of them")
    if isinstance(nat, Nat):
        return (nat,)
    if not isinstance(nat, str):
        raise SpecError(f"{type(nat).__name__} is no backend: write a spec, as in 'any' or 'pmp:192.168.1.1'")
    if not ipv4:
        backend = load_ipv6(nat)
        if backend is None:
            raise SpecError(f"{shown_spec(nat)} knows no IPv6: try pcp or upnp")
        return (backend,)
    catalogue = Catalogue(BACKENDS)
    main = load(nat, catalogue)
    side = _optional_ipv6(nat, catalogue) if ipv6 and main.kind is Kind.LOOP and not main.ipv6 else None
    return (main, side) if side is not None else (main,)


def path_setups(backends: tuple[Nat, ...], *, ipv4: bool, state: Path | None) -> tuple[PathSetup, ...]:
    """What each path starts with: its backend, journal and event translation; IPv4 first, unless there is none."""
    both = ipv4 and not backends[0].ipv6
    folders = (state, state and state / "ipv6") if both else (state and state / "ipv6",)
    translations: tuple[EventTranslator, ...] = (
        (unchanged, PinholeTranslator(alone=False)) if both else (PinholeTranslator(alone=True),)
    )
    return tuple(
        PathSetup(
            backend,
            _journal_store(folder) if folder is not None and backend.kind is Kind.LOOP else None,
            translate,
            optional=backend is not backends[0],
            open_ports=None if state is None else _open_ports(state, ipv6=isinstance(translate, PinholeTranslator)),
        )
        for backend, folder, translate in zip(backends, folders, translations, strict=False)
    )


def _chained(nat: str | Nat, beyond: tuple[str, ...], interface: str | None) -> str | Nat:
    """The gateway, or the chain of all of them, by the interface. Raises SpecError."""
    if not beyond and interface is None:
        return nat
    if not isinstance(nat, str):
        raise SpecError("a chain, or an interface, needs the gateway as a spec: write it so, as in 'any'")
    return on_interface(chain_text(nat, beyond), interface)


def _each(mappings: Iterable[MappingLike] | MappingLike) -> tuple[MappingLike, ...]:
    """The mappings, of which one alone needs no list. Raises SpecError."""
    if isinstance(mappings, str | int | PortRequest):
        return (mappings,)
    if isinstance(mappings, bytes | bytearray):
        raise SpecError(f"{mappings!r} is no mapping: write text, as in '443:8443'")
    try:
        return tuple(mappings)
    except TypeError:
        raise SpecError(f"{mappings!r} are no mappings: write a list, as in ['web=443:8443', 30303]") from None


def _lifetime(lease: object, nat: Nat) -> int:
    """The seconds to ask for. Raises SpecError."""
    if lease is None:
        return nat.default_lifetime
    if isinstance(lease, bool) or not isinstance(lease, int) or not 1 <= lease <= MAX_LIFETIME:
        raise SpecError(f"lease {lease!r} makes no sense: use a number of seconds from 1 to {MAX_LIFETIME}")
    return lease


def _seconds(interval: object) -> float:
    """The seconds between two checks of the external address. Raises SpecError."""
    if isinstance(interval, bool) or not isinstance(interval, int | float) or not interval > 0:
        raise SpecError(f"ip_interval {interval!r} makes no sense: use a number of seconds above 0")
    return float(interval)


def _conflict(chosen: OnConflict | str) -> OnConflict:
    """The member that a word stands for. Raises SpecError."""
    try:
        return OnConflict(chosen)
    except ValueError:
        words = " or ".join(repr(member.value) for member in OnConflict)
        raise SpecError(f"on_conflict {chosen!r} makes no sense: use {words}") from None


def _journal_store(folder: Path) -> "JournalStore":
    from portmap.storage.journal_store import JournalStore  # noqa: PLC0415  # only with a state folder

    return JournalStore(folder)


def _open_ports(state: Path, *, ipv6: bool) -> "OpenPortsReader":
    from portmap.storage.open_ports_reader import OpenPortsReader  # noqa: PLC0415  # as above

    return OpenPortsReader(state, ipv6=ipv6)


def _status_file(folder: Path, instance: str, nat: str, *, relays: bool) -> "StatusFile":
    from portmap.storage.status import SessionStatus  # noqa: PLC0415  # as above
    from portmap.storage.status_file import StatusFile  # noqa: PLC0415  # as above

    now = time.time()
    try:
        return StatusFile(folder, SessionStatus(os.getpid(), instance, nat, now, now, relays=relays))
    except OSError as error:
        raise SpecError(f"the state folder {folder} cannot be used: {error.strerror}; choose another") from error


def _optional_ipv6(nat: str, catalogue: Catalogue) -> Nat | None:
    """The IPv6 backend beside an IPv4 one; None where there is none, since the user did not ask for it by name."""
    try:
        return load_ipv6(nat, catalogue)
    except SpecError:
        return None


def _load_publishers(specs: Iterable[str]) -> "list[PublisherRunner]":
    """A runner for each publisher; all are closed where one of them cannot be loaded."""
    if not (specs := tuple(specs)):
        return []
    from portmap.publishers.runner import load_publisher  # noqa: PLC0415  # most sessions have no publisher

    runners: list[PublisherRunner] = []
    try:
        runners.extend(map(load_publisher, specs))  # what was opened before one fails is in the list
    except PortmapError:
        for runner in runners:
            runner.close()
        raise
    return runners
