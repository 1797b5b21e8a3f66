"""How one port is opened and shut at an IGD: look first, ask, read back, insist.

Law: never in place of anybody else's entry (`marks` tells whose it is), and nothing is believed that the gateway does
not list afterwards: to our present address and port, enabled, its lease grown. Where it is not so, we ask again, then
delete and ask, then try another external port; then it is an error, and core's turn. What was granted is the answer.
"""

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from portmap.errors import Conflict, Refused
from portmap.model import Grant, Protocol
from portmap_upnp.control import upnp_errors as code
from portmap_upnp.control.wan_connection import MAX_LEASE, PortMappingEntry, WanActions
from portmap_upnp.mapping.ownership import PREFIX, entry_description, host_id, is_host_present, made_by_host, made_by_us
from portmap_upnp.mapping.port_forward import PortForward, conflict, granted, lease_not_extended

ALTERNATIVES = 4  # further external ports to try
_FIRST, _LAST = 10000, 65534  # where they are drawn from: go-ethereum's p2p/nat/natupnp.go
_ANOTHER_PORT_MAY_DO = {
    code.CONFLICT,
    code.CONFLICT_WITH_OTHER_MECHANISMS,
    code.WILDCARD_NOT_IN_EXTERNAL_PORT,
    code.ACTION_FAILED,  # some routers' word for 718
}
_NO_LIFETIMES = {code.ONLY_PERMANENT_LEASES, code.INVALID_ARGS}  # 402: ARRIS NVG578LX and others
_CANNOT_BE_ASKED = {code.INVALID_ACTION, code.OPTIONAL_ACTION}
_log = logging.getLogger("portmap.upnp")


def random_port() -> int:
    """An external port that nobody else is likely to want."""
    return _FIRST + int.from_bytes(os.urandom(4), "big") % (_LAST - _FIRST + 1)


@dataclass(frozen=True, slots=True)
class _MappingRequest:
    """A forward with what else is asked for it."""

    forward: PortForward
    description: str
    lifetime: int


class _NoEffect(Refused):
    """The gateway said yes, and whatever we tried did not do it."""


class PortMapper:
    """Opens and shuts ports at one gateway; knows what it holds there, and whether lifetimes are known there.

    `choose` draws other external ports, `host` is the ID in our descriptions, `is_host_present` tells whether the
    client of an entry is on the network.
    """

    def __init__(
        self,
        choose: Callable[[], int] = random_port,
        host: str | None = None,
        is_host_present: Callable[[str, int], bool] = is_host_present,
    ) -> None:
        self._choose = choose
        self._host = host or host_id()
        self._is_host_present = is_host_present
        self._held: dict[tuple[Protocol, int], PortForward] = {}  # by (protocol, external port)
        self._permanent_only = False

    def usual_port(self, protocol: Protocol, internal_port: int) -> int:
        """The external port for who has no wish: what we hold for it already, else the internal port."""
        held = (
            it.external_port
            for it in self._held.values()
            if (it.protocol, it.internal_port) == (protocol, internal_port)
        )
        return next(held, internal_port)

    def open(self, wan: WanActions, wanted: PortForward, name: str, lifetime: int) -> Grant:
        """Open or extend. Raises Conflict where no port could be had, else the gateway's own refusal."""
        wish = _MappingRequest(wanted, entry_description(name, wanted.internal_port, self._host), lifetime)
        first: Refused | None = None
        for port in self._ports(wanted):
            attempt = replace(wish, forward=replace(wanted, external_port=port))
            try:
                return self._open(wan, attempt)
            except Refused as refusal:
                if refusal.code == code.SAME_PORTS_REQUIRED and port != wanted.internal_port:
                    return self._open(wan, replace(wish, forward=replace(wanted, external_port=wanted.internal_port)))
                if isinstance(first, _NoEffect):  # one other port is enough
                    raise first from refusal
                if refusal.code not in _ANOTHER_PORT_MAY_DO and not isinstance(refusal, _NoEffect):
                    raise
                _log.debug("%s: %s", attempt.forward, refusal)
                first = refusal if isinstance(refusal, _NoEffect) else first or refusal
        raise first or conflict(wanted, "somebody")

    def close(self, wan: WanActions, forward: PortForward) -> None:
        """Shut what is ours; leave alone what is not. Raises Refused where the gateway keeps it all the same."""
        entry = self._look(wan, forward)
        ours = self._is_ours(forward, entry) or self._was_ours(forward, entry)
        if ours:
            _delete(wan, forward)
        else:
            _log.debug("%s is not (or no longer) ours: nothing to delete", forward)
        self._held.pop(forward.key, None)
        if ours and self._look(wan, forward) == entry:
            raise Refused(f"the gateway said yes to deleting {forward}, but still lists it; look into its settings")

    def lists(self, wan: WanActions, forward: PortForward) -> bool | None:
        """Whether the gateway lists this entry of ours, switched on; None where its table cannot be read."""
        try:
            entry = wan.entry(*forward.key)
        except Refused as refusal:
            if refusal.code not in _CANNOT_BE_ASKED:
                raise
            return None
        return self._is_ours(forward, entry) and entry is not None and entry.enabled

    def _ports(self, wanted: PortForward) -> Iterator[int]:
        yield wanted.external_port
        for _ in range(ALTERNATIVES):
            yield self._choose()

    # One external port -----------------------------------------------------------------------------------------

    def _open(self, wan: WanActions, wish: _MappingRequest) -> Grant:
        """Open just this external port, or extend it; insist where a yes has no effect."""
        forward = wish.forward
        before = self._own_entry(wan, wish)
        asked = self._ask(wan, wish, before)
        listed = self._read_back(wan, forward)
        if listed is None:
            asked = self._add(wan, wish)
            listed = self._read_back(wan, forward)
        if listed is None or not listed.enabled or lease_not_extended(before, listed, asked):
            _delete(wan, forward)
            asked = self._add(wan, wish)
            listed = self._read_back(wan, forward)
        if listed is None or not listed.enabled:
            self._held.pop(forward.key, None)
            what = "as switched off" if listed else "nothing"
            message = f"the gateway said yes to {forward}, but lists {what}; restart it, or map the port by hand"
            raise _NoEffect(message, code=code.NO_SUCH_ENTRY)
        return Grant(forward.external_port, granted(asked, listed.lease))

    def _own_entry(self, wan: WanActions, wish: _MappingRequest) -> PortMappingEntry | None:
        """What we have there already. Raises Conflict where it is somebody else's."""
        entry = self._look(wan, wish.forward)
        if entry is None or self._is_ours(wish.forward, entry):
            return entry
        left_behind = self._is_left_behind(wish, entry)
        self._held.pop(wish.forward.key, None)
        if not left_behind:
            raise conflict(wish.forward, entry.client)
        self._delete_stale(wan, wish.forward, entry)
        return None

    def _delete_stale(self, wan: WanActions, forward: PortForward, entry: PortMappingEntry) -> None:
        """Delete what we left behind. In secure mode gateways let only the client itself do that, which is no more."""
        try:
            _delete(wan, forward)
        except Refused as refusal:
            _log.info(
                "our old entry for external port %d/%s still leads to %s, and the gateway keeps it until its lease "
                "ends, so another port is asked for: %s",
                forward.external_port,
                forward.protocol,
                entry.client,
                refusal,
            )
            raise conflict(forward, f"our own old entry, which leads to {entry.client}") from refusal
        _log.info("our old entry for external port %d/%s led to %s: replaced", *reversed(forward.key), entry.client)

    def _ask(self, wan: WanActions, wish: _MappingRequest, before: PortMappingEntry | None) -> int:
        """Ask for the entry, and answer with the lease asked for. Our own old entry may stand in the way (718)."""
        try:
            return self._add(wan, wish)
        except Conflict:
            if before is None:
                raise
            _delete(wan, wish.forward)
            return self._add(wan, wish)

    def _add(self, wan: WanActions, wish: _MappingRequest) -> int:
        """Add with a lease, or without one where the gateway knows none. Answers with the lease asked for."""
        forward = wish.forward
        lease = 0 if self._permanent_only else min(wish.lifetime, MAX_LEASE)
        try:
            wan.add(*forward.key, forward.client, forward.internal_port, wish.description, lease)
        except Refused as refusal:
            if lease == 0 or refusal.code not in _NO_LIFETIMES:
                raise
            wan.add(*forward.key, forward.client, forward.internal_port, wish.description, 0)
            self._permanent_only = True
            return 0
        return lease

    def _read_back(self, wan: WanActions, forward: PortForward) -> PortMappingEntry | None:
        """Our entry as the gateway lists it; None where it said yes and did not do it. Raises Conflict."""
        self._held[forward.key] = forward
        listed = self._look(wan, forward)
        if listed is None or forward.is_in(listed):
            return listed
        self._held.pop(forward.key, None)
        raise conflict(forward, listed.client)

    # Whose is it -----------------------------------------------------------------------------------------------

    def _look(self, wan: WanActions, forward: PortForward) -> PortMappingEntry | None:
        """What the gateway lists for the external port; where it cannot be asked, what we believe to hold."""
        try:
            return wan.entry(*forward.key)
        except Refused as refusal:
            if refusal.code not in _CANNOT_BE_ASKED:
                raise
            _log.debug("the gateway's table cannot be read: %s", refusal)
            believed = PortMappingEntry(str(forward.client), forward.internal_port, PREFIX, lease=0)
            return believed if forward.key in self._held else None

    def _is_ours(self, forward: PortForward, entry: PortMappingEntry | None) -> bool:
        """Whether the entry leads to us and was made by us: now, in an earlier life, or nobody says."""
        if entry is None or not forward.is_in(entry):
            return False
        return self._held.get(forward.key) == forward or made_by_us(entry.description)

    def _was_ours(self, forward: PortForward, entry: PortMappingEntry | None) -> bool:
        """Whether the entry leads to an address that was ours when we made it."""
        held = self._held.get(forward.key)
        if entry is None or held is None or held.internal_port != forward.internal_port:
            return False
        return held.is_in(entry) and made_by_host(entry.description, self._host)

    def _is_left_behind(self, wish: _MappingRequest, entry: PortMappingEntry) -> bool:
        """Whether the entry is this very mapping, made on this host when it had another address."""
        if (entry.description, entry.port) != (wish.description, wish.forward.internal_port):
            return False
        return self._was_ours(wish.forward, entry) or not self._is_host_present(entry.client, entry.port)


def _delete(wan: WanActions, forward: PortForward) -> None:
    try:
        wan.delete(*forward.key)
    except Refused as refusal:
        if refusal.code != code.NO_SUCH_ENTRY:
            raise
