"""`portmap.open`: from a user's words to a running session. Law: nothing is sent before all of it makes sense."""

from collections.abc import Iterable
from pathlib import Path

from portmap.errors import PortmapError, SpecError
from portmap.model import DEFAULT_LIFETIME, Kind, PortRequest
from portmap.nat import Nat, load
from portmap.node import LocalNode
from portmap.policy import OnConflict, Policy
from portmap.publishing import Desk, open_desk
from portmap.requests import check_distinct, requests_of
from portmap.session import Session
from portmap.state import State


def open(  # noqa: A001  # portmap.open reads best
    nat: str | Nat = "any",
    mappings: Iterable[str | PortRequest] = (),
    *,
    lease: int = DEFAULT_LIFETIME,
    ip_interval: float = 60.0,
    publish: Iterable[str] = (),
    node: LocalNode | None = None,
    state: str | Path | None = None,
    on_conflict: OnConflict = OnConflict.NEXT,
) -> Session:
    """Open ports and keep them open: `with portmap.open("pmp:192.168.1.1", ["web=443:8443", "30303/both"]) as session`.

    `nat` and `publish` are specs, `mappings` texts `[NAME=][EXT:]INT[/tcp|udp|both]` or PortRequests, `lease` the
    seconds to ask for where a text is given, `ip_interval` the seconds between two looks at the external address.
    `node` is the caller's own LocalNode, if it has one. `state` is a folder to remember ports in, over restarts and
    crashes; `on_conflict` what to do where another external port is given than was asked for.

    Returns at once; nothing was sent yet when this raises: SpecError for what makes no sense, PluginError for a broken
    plugin.
    """
    requests = tuple(request for mapping in mappings for request in requests_of(mapping, lease))
    check_distinct(requests)
    if not ip_interval > 0:
        raise SpecError(f"ip_interval {ip_interval} makes no sense: use a number of seconds above 0")
    gateway = load(nat) if isinstance(nat, str) else nat
    desks = _open_desks(publish)
    memory = State(Path(state)) if state is not None and gateway.kind is Kind.LOOP else None
    return Session(gateway, requests, desks, Policy(ip_interval, on_conflict=on_conflict), node, lease, memory)


def _open_desks(specs: Iterable[str]) -> list[Desk]:
    """A desk for each publisher; none stays open where one of them cannot be."""
    desks: list[Desk] = []
    try:
        desks.extend(map(open_desk, specs))  # what was opened before one fails is in the list
    except PortmapError:
        for desk in desks:
            desk.close()
        raise
    return desks
