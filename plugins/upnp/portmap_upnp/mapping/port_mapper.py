"""PortMapper: opens and closes ports at one gateway; chooses the external port.

Raises portmap errors only. The wanted port is tried first. Where it is taken, others are drawn; where the gateway
allows only some ports, it is asked to choose one (AddAnyPortMapping). EntryMaker makes the entry for one port.
"""

import logging
import os
from collections.abc import Callable, Iterator

from portmap.errors import NATError, NotAuthorized, Refused
from portmap.model import Grant
from portmap_upnp.control import upnp_errors as code
from portmap_upnp.control.wan_connection import WanActions
from portmap_upnp.mapping.entry_maker import EntryMaker, NoEffect
from portmap_upnp.mapping.ownership import OwnershipRule, entry_description, is_host_present
from portmap_upnp.mapping.port_forward import MappingRequest, PortForward, PortTaken

ALTERNATIVES = 4  # further external ports to try
FIRST_ORDINARY_PORT = 1024  # many gateways keep those below for themselves (RFC 6335 §6: system ports)
_FIRST, _LAST = 10000, 65534  # where they are drawn from: go-ethereum's p2p/nat/natupnp.go
_ANOTHER_PORT_MAY_DO = {
    code.CONFLICT,
    code.CONFLICT_WITH_OTHER_MECHANISMS,
    code.WILDCARD_NOT_IN_EXTERNAL_PORT,
    code.ACTION_FAILED,  # some routers' word for 718
}
_PORT_NOT_ALLOWED = {code.NOT_AUTHORIZED, code.CONFLICT}  # miniupnpd's words for a port that no rule allows
_log = logging.getLogger("portmap.upnp")


def random_port() -> int:
    """An external port that no other program is likely to want."""
    return _FIRST + int.from_bytes(os.urandom(4), "big") % (_LAST - _FIRST + 1)


class PortMapper:
    """Opens and closes ports at one gateway.

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
        self._rule = OwnershipRule(host, is_host_present)
        self._entries = EntryMaker(self._rule)

    @property
    def held(self) -> int:
        """How many entries are ours, or may be."""
        return len(self._entries.held)

    @property
    def shows_entries(self) -> bool:
        """Whether the gateway has shown an entry of ours when it was asked for that one."""
        return self._entries.table.shows_entries

    def learn_anew(self) -> None:
        """Drop what was learnt of how the gateway behaves. What is held there stays known."""
        self._entries.learn_anew()

    def with_usual_port(self, forward: PortForward) -> PortForward:
        """Where no external port is asked for: the one that we hold for it already, else the internal port."""
        held = (
            it.external_port
            for it in self._entries.held.values()
            if (it.protocol, it.internal_port, it.to_us) == (forward.protocol, forward.internal_port, forward.to_us)
        )
        return forward._replace(external_port=forward.external_port or next(held, forward.internal_port))

    def open(self, wan: WanActions, wanted: PortForward, name: str, lifetime: int) -> Grant:
        """Open or extend. Raises Conflict where no port could be had, else the gateway's own refusal."""
        description = entry_description(name, wanted.internal_port, self._rule.host)
        request = MappingRequest(wanted, description, lifetime)
        first: Refused | None = None
        grant: Grant | None
        for port in self._ports(wanted):
            try:
                grant = self._entries.make(wan, request.at(port))
            except Refused as refusal:
                if refusal.code == code.SAME_PORTS_REQUIRED and port != wanted.internal_port:
                    return self._entries.make(wan, request.at(wanted.internal_port))
                if isinstance(first, NoEffect):  # one other port is enough
                    raise first from refusal
                _check_is_ordinary(request.at(port).forward, refusal)
                if _needs_any_port(first, refusal) and (grant := self._entries.make_any(wan, request)):
                    self._close_former(wan, wanted, grant)
                    return grant
                if refusal.code not in _ANOTHER_PORT_MAY_DO and not isinstance(refusal, NoEffect):
                    raise
                _log.debug("%s: %s", request.at(port).forward, refusal)
                first = refusal if isinstance(refusal, NoEffect) else first or refusal
            else:
                self._close_former(wan, wanted, grant)
                return grant
        if first and first.code == code.ACTION_FAILED and (grant := self._make_permanent(wan, request)):
            return grant
        raise first or PortTaken.by(wanted, "another host")

    def _close_former(self, wan: WanActions, former: PortForward, grant: Grant) -> None:
        """Close what we held where another port was had at a renewal: one entry is left for a mapping."""
        if grant.external_port == former.external_port or self._entries.held.get(former.key) != former:
            return
        try:
            self._entries.remove(wan, former)
        except NATError as error:
            _log.warning("%s is left until its lease ends, for it could not be deleted: %s", former, error)

    def _make_permanent(self, wan: WanActions, request: MappingRequest) -> Grant | None:
        """A permanent entry, where every port fails without a reason: it may be for the lease. None where it is not."""
        try:
            return self._entries.make(wan, request._replace(lifetime=0))
        except Refused as refusal:
            _log.debug("%s, permanent: %s", request.forward, refusal)
            return None

    def close(self, wan: WanActions, forward: PortForward, *, in_haste: bool = False) -> None:
        """Close what is ours; leave alone what is not. Raises Refused where the gateway keeps it all the same."""
        self._entries.remove(wan, forward, in_haste=in_haste)

    def force_close(self, wan: WanActions, forward: PortForward) -> None:
        """Delete the entry, ours or not. Raises Conflict where it leads to another host, and as `close`."""
        self._entries.force_remove(wan, forward)

    def lists(self, wan: WanActions, forward: PortForward) -> bool | None:
        """Whether the gateway lists this entry, switched on; None where its table cannot be read."""
        return self._entries.lists(wan, forward)

    def _ports(self, wanted: PortForward) -> Iterator[int]:
        yield wanted.external_port
        for _ in range(ALTERNATIVES):
            yield self._choose()


def _check_is_ordinary(forward: PortForward, refusal: Refused) -> None:
    """Raises NotAuthorized for a port under 1024 that the gateway refused though no entry holds it."""
    if forward.external_port >= FIRST_ORDINARY_PORT or not _is_not_allowed(refusal):
        return
    message = (
        f"the gateway refuses external port {forward.external_port}, as many do for ports under "
        f"{FIRST_ORDINARY_PORT}; ask for one from {FIRST_ORDINARY_PORT} up, as in "
        f"{8000 + forward.external_port}:{forward.internal_port}"
    )
    raise NotAuthorized(message, code=refusal.code, text=refusal.text) from refusal


def _needs_any_port(first: Refused | None, refusal: Refused) -> bool:
    """Whether the gateway should choose: it forbids the first port outright, or refuses a second one that is free."""
    if not _is_not_allowed(refusal):
        return False
    return refusal.code == code.NOT_AUTHORIZED if first is None else _is_not_allowed(first)


def _is_not_allowed(refusal: Refused) -> bool:
    """Whether the gateway itself refused a port that its table showed as free."""
    return refusal.code in _PORT_NOT_ALLOWED and not isinstance(refusal, PortTaken)
