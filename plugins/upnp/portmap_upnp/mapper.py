"""How one port is opened and shut at an IGD: look first, ask, read back.

Law: never in place of anybody else's entry, and nothing is believed that the gateway does not list afterwards. Where
the wanted external port is taken others are tried, and what was granted is the answer.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from portmap.errors import Conflict, Refused
from portmap.model import Grant, Protocol
from portmap_upnp import soaperrors as code
from portmap_upnp.igd import DESCRIPTION_LENGTH, MAX_LEASE, Entry, Igd

OUR_MARK = "portmap:"
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


def describe(name: str, internal_port: int) -> str:
    """The entry's description: our mark, then the user's word in characters that need no escaping."""
    word = re.sub(r"[^A-Za-z0-9 _.:-]", "-", name).strip() or str(internal_port)
    return (OUR_MARK + word)[:DESCRIPTION_LENGTH].strip()


@dataclass(frozen=True, slots=True)
class Forward:
    """What shall lead where: an external port to a port of one host of the LAN, `client`."""

    protocol: Protocol
    external_port: int
    client: IPv4Address
    internal_port: int

    @property
    def key(self) -> tuple[Protocol, int]:
        """What identifies an entry at the gateway."""
        return self.protocol, self.external_port

    def is_in(self, entry: Entry | None) -> bool:
        """Whether the gateway's entry does just this."""
        return entry is not None and (entry.client, entry.port) == (str(self.client), self.internal_port)

    def __str__(self) -> str:
        return f"{self.protocol} {self.external_port} to {self.client}:{self.internal_port}"


class Mapper:
    """Opens and shuts ports at one gateway; knows what it holds there, and whether lifetimes are known there."""

    def __init__(self, choose: Callable[[], int] = random_port) -> None:
        self._choose = choose
        self._held: dict[tuple[Protocol, int], int] = {}  # (protocol, external port) -> internal port
        self._permanent_only = False

    def usual_port(self, protocol: Protocol, internal_port: int) -> int:
        """The external port for who has no wish: what we hold for it already, else the internal port."""
        held = (key[1] for key, inside in self._held.items() if (key[0], inside) == (protocol, internal_port))
        return next(held, internal_port)

    def open(self, igd: Igd, wanted: Forward, description: str, lifetime: int) -> Grant:
        """Open or extend. Raises Conflict where no port could be had, else the gateway's own refusal."""
        first: Refused | None = None
        for forward in self._alternatives(wanted):
            try:
                return self._open(igd, forward, description, lifetime)
            except Refused as refusal:
                if refusal.code == code.SAME_PORTS_REQUIRED and forward.external_port != forward.internal_port:
                    return self._open(igd, replace(forward, external_port=forward.internal_port), description, lifetime)
                if refusal.code not in _ANOTHER_PORT_MAY_DO:
                    raise
                _log.debug("%s: %s", forward, refusal)
                first = first or refusal
        raise first or _taken(wanted, "somebody")

    def close(self, igd: Igd, forward: Forward) -> None:
        """Shut what is ours; leave alone what is not. Raises Refused where the gateway keeps it all the same."""
        ours = self._is_ours(forward, self._look(igd, forward))
        if ours:
            _delete(igd, forward)
        else:
            _log.debug("%s is not (or no longer) ours: nothing to delete", forward)
        self._held.pop(forward.key, None)
        if ours and forward.is_in(self._look(igd, forward)):
            raise Refused(f"the gateway said yes to deleting {forward}, but still lists it; look into its settings")

    def _alternatives(self, wanted: Forward) -> Iterator[Forward]:
        yield wanted
        for _ in range(ALTERNATIVES):
            yield replace(wanted, external_port=self._choose())

    def _open(self, igd: Igd, forward: Forward, description: str, lifetime: int) -> Grant:
        """Open just this external port, or extend it."""
        before = self._look(igd, forward)
        if before is not None and not self._is_ours(forward, before):
            self._held.pop(forward.key, None)
            raise _taken(forward, before.client)
        asked = self._ask(igd, forward, description, lifetime, before)
        listed = self._read_back(igd, forward)
        if before is not None and _stands_still(before.lease, listed.lease, asked):
            _delete(igd, forward)
            asked = self._ask(igd, forward, description, lifetime, None)
            listed = self._read_back(igd, forward)
        return Grant(forward.external_port, granted(asked, listed.lease))

    def _ask(self, igd: Igd, forward: Forward, description: str, lifetime: int, before: Entry | None) -> int:
        """Ask for the entry, and answer with the lease asked for. Our own old entry may stand in the way (718)."""
        try:
            return self._add(igd, forward, description, lifetime)
        except Conflict:
            if before is None:
                raise
            _delete(igd, forward)
            return self._add(igd, forward, description, lifetime)

    def _add(self, igd: Igd, forward: Forward, description: str, lifetime: int) -> int:
        """Add with a lease, or without one where the gateway knows none. Answers with the lease asked for."""
        lease = 0 if self._permanent_only else min(lifetime, MAX_LEASE)
        try:
            igd.add(*forward.key, forward.client, forward.internal_port, description, lease)
        except Refused as refusal:
            if lease == 0 or refusal.code not in _NO_LIFETIMES:
                raise
            igd.add(*forward.key, forward.client, forward.internal_port, description, 0)
            self._permanent_only = True
            return 0
        return lease

    def _read_back(self, igd: Igd, forward: Forward) -> Entry:
        """The entry as the gateway lists it. Raises Refused where it said yes and did not do it."""
        self._held[forward.key] = forward.internal_port
        listed = self._look(igd, forward)
        if listed is not None and forward.is_in(listed):
            return listed
        self._held.pop(forward.key, None)
        if listed is not None:
            raise _taken(forward, listed.client)
        message = f"the gateway said yes to {forward}, but lists nothing; restart it, or map the port by hand"
        raise Refused(message, code=code.NO_SUCH_ENTRY)

    def _look(self, igd: Igd, forward: Forward) -> Entry | None:
        """What the gateway lists for the external port; where it cannot be asked, what we believe to hold."""
        try:
            return igd.entry(*forward.key)
        except Refused as refusal:
            if refusal.code not in _CANNOT_BE_ASKED:
                raise
            _log.debug("the gateway's table cannot be read: %s", refusal)
            believed = Entry(str(forward.client), forward.internal_port, OUR_MARK, lease=0)
            return believed if forward.key in self._held else None

    def _is_ours(self, forward: Forward, entry: Entry | None) -> bool:
        """Whether the entry leads to us and was made by us: now, in an earlier life, or nobody says."""
        if entry is None or not forward.is_in(entry):
            return False
        return forward.key in self._held or entry.description.startswith(OUR_MARK) or not entry.description


def granted(asked: int, listed: int) -> int:
    """The lifetime to report, 0 = permanent: what is listed, never more than was asked for.

    The list tells what is left, and a second may have passed since.

    Some routers list 0 for a lease that they keep all the same: the lease asked for is then believed, since renewing
    what is permanent costs little and not renewing what is not costs the mapping. Where permanent was asked for and a
    lease is listed (IGD:2 makes 0 a week), the list is right.
    """
    if not asked or not listed:
        return asked or listed
    return asked if listed >= asked - 1 else listed


def _stands_still(before: int, after: int, asked: int) -> bool:
    """Whether the gateway said yes to a renewal and let the old lease run on: old miniupnpd versions do."""
    return 0 < after < asked // 2 and after <= before


def _delete(igd: Igd, forward: Forward) -> None:
    try:
        igd.delete(*forward.key)
    except Refused as refusal:
        if refusal.code != code.NO_SUCH_ENTRY:
            raise


def _taken(forward: Forward, by: str) -> Conflict:
    message = f"external port {forward.external_port}/{forward.protocol} is taken by {by}; ask for another one"
    return Conflict(message, code=code.CONFLICT, text="ConflictInMappingEntry")
