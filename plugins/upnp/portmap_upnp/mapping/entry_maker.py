"""EntryMaker: makes, extends and deletes the entry for one external port at one gateway.

Raises portmap errors only. Rules:
- an entry of another host or program is never replaced or deleted (`ownership`);
- a grant counts where the table lists it afterwards: to our present address and port, enabled, its lease grown. Where
  it does not, we ask again, then delete and ask;
- where the table cannot be read at all, the gateway's yes counts, and the grant says so in its note;
- an entry that we asked for and could not confirm is deleted before an error is raised: there is never more than one
  entry for a mapping;
- an entry of another program that leads to this very host and port is taken over as it is: extended, never deleted.
"""

import logging
from contextlib import suppress

from portmap.errors import Conflict, GatewayTimeout, NATError, Refused, SpecError
from portmap.model import Grant, Protocol
from portmap_upnp.control import upnp_errors as code
from portmap_upnp.control.soap import ErrorWithoutCode, Unreadable
from portmap_upnp.control.wan_connection import MAX_LEASE, PortMappingEntry, WanActions
from portmap_upnp.mapping.granted_leases import GrantedLeases
from portmap_upnp.mapping.lease_choice import LeaseChoice
from portmap_upnp.mapping.ownership import Owner, OwnershipRule
from portmap_upnp.mapping.port_forward import MappingRequest, PortForward, PortTaken, granted
from portmap_upnp.mapping.table_reader import Reading, TableReader

NOT_READ_BACK = "the gateway said yes, but its table cannot be read to confirm it"
_MAY_BE_YES = (Unreadable, GatewayTimeout)  # some take 5 s over AddPortMapping, and do it all the same
_log = logging.getLogger("portmap.upnp")


class NoEffect(Refused):
    """The gateway said yes, and nothing that we tried made it so."""


class EntryMaker:
    """Makes entries at one gateway; knows what it holds there, and how that gateway behaves."""

    def __init__(self, rule: OwnershipRule) -> None:
        self._rule = rule
        self.held: dict[tuple[Protocol, int], PortForward] = {}
        """By (protocol, external port): what is ours, or may be."""
        self._adopted: set[tuple[Protocol, int]] = set()  # made by other programs
        self._granted = GrantedLeases()
        self.learn_anew()

    def learn_anew(self) -> None:
        """Drop what was learnt of how the gateway behaves: it was found anew, and may be another one, or updated."""
        self.table = TableReader()
        self._leases = LeaseChoice()
        self._granted.learn_anew()

    def make(self, wan: WanActions, request: MappingRequest) -> Grant:
        """Make or extend the entry for just this external port.

        Raises PortTaken where it is another host's, NoEffect where a yes has none, else the gateway's own refusal.
        """
        forward = request.forward
        before = self.table.look(wan, forward)
        match self._rule.owner_of(forward, request.description, before.entry, self.held.get(forward.key)):
            case Owner.OTHER_PROGRAM if before.entry:
                return self._adopt(wan, request, before.entry)
            case Owner.LEFT_BEHIND if before.entry:
                self._delete_stale(wan, forward, before.entry)
                before = Reading()
            case Owner.OTHER_HOST if before.entry:
                self.held.pop(forward.key, None)
                raise PortTaken.by(forward, before.entry.client)
        self._adopted.discard(forward.key)
        return self._ask_and_confirm(wan, request, before)

    def make_any(self, wan: WanActions, request: MappingRequest) -> Grant | None:
        """An entry on a port of the gateway's choice (WANIPConnection:2 §2.5.16); None where it offers none."""
        forward = request.forward
        wanted = (*forward.key, forward.client, forward.internal_port, request.description)
        try:
            port = self._leases.ask(request.lifetime, lambda lease: wan.add_any(*wanted, lease))
        except Refused as refusal:
            _log.debug("the gateway chooses no port: %s", refusal)
            return None
        except _MAY_BE_YES as error:
            port = self.table.find(wan, forward, request.description)
            _log.debug("the gateway does not say which port it chose (%s); its table shows %d", error, port)
            if not port:
                return None
        chosen = request.at(port)
        self.held[chosen.forward.key] = chosen.forward
        return self._confirm_or_clean_up(wan, chosen, Reading(), self._leases.asked)

    def remove(self, wan: WanActions, forward: PortForward, *, in_haste: bool = False) -> None:
        """Delete the entry if it is ours. Raises Refused where the gateway keeps it all the same.

        `in_haste`: delete what we hold without looking before and after.
        """
        if forward.key in self._adopted:
            self._adopted.discard(forward.key)
            return
        if in_haste and self.held.get(forward.key) == forward:
            self._delete(wan, forward)
            return
        reading = self.table.look_for_ours(wan, forward, held=self.held.get(forward.key) == forward)
        ours = not reading.known or self._rule.may_delete(forward, reading.entry, self.held.get(forward.key))
        if not ours:
            _log.debug("%s is not (or no longer) ours: nothing to delete", forward)
            self.held.pop(forward.key, None)
            return
        self._delete_and_check(wan, forward, reading)

    def force_remove(self, wan: WanActions, forward: PortForward) -> None:
        """Delete the entry that leads to this host and port, ours or not. That there is none is as good.

        Raises Conflict where it leads elsewhere, and Refused where the table cannot be read, or the gateway keeps it.
        """
        reading = self.table.look_for_ours(wan, forward)
        if not reading.known:
            raise Refused(f"the gateway does not show where external port {forward.external_port} leads; not deleted")
        if reading.entry is None:
            return
        if not self._rule.leads_here(forward, reading.entry):
            raise PortTaken.by(forward, reading.entry.client)
        self._adopted.discard(forward.key)
        self._delete_and_check(wan, forward, reading)

    def lists(self, wan: WanActions, forward: PortForward) -> bool | None:
        """Whether the gateway lists this entry, switched on; None where its table cannot be read."""
        held = self.held.get(forward.key) == forward
        reading = self.table.look_for_ours(wan, forward, held=held) if held else self.table.look(wan, forward)
        if not reading.known:
            return None
        entry = reading.entry
        return entry is not None and entry.enabled and self._rule.leads_here(forward, entry)

    def _ask_and_confirm(self, wan: WanActions, request: MappingRequest, before: Reading) -> Grant:
        """From the first request on an entry may be ours: whatever goes wrong, it is deleted unless it was before."""
        forward = request.forward
        was_held = forward.key in self.held or before.entry is not None
        self.held[forward.key] = forward
        try:
            asked = self._ask(wan, request, before.entry)
        except Refused:  # nothing was made
            if not was_held:
                self.held.pop(forward.key)
            raise
        except NATError as error:
            if was_held and not isinstance(error, _MAY_BE_YES):
                raise
            if not self._clean_up(wan, forward, error, before, keep=was_held):
                raise
            asked = self._leases.asked
        else:
            if (lifetime := self._granted.known_renewal(forward.key, before, asked)) is not None:
                return Grant(forward.external_port, lifetime)
        return self._confirm_or_clean_up(wan, request, before, asked)

    def _confirm_or_clean_up(self, wan: WanActions, request: MappingRequest, before: Reading, asked: int) -> Grant:
        try:
            grant = self._confirm(wan, request, before, asked)
        except PortTaken:
            raise
        except NATError as error:
            if before.entry is None or isinstance(error, NoEffect):
                self._clean_up(wan, request.forward, error, before)
            raise
        self._granted.note(request.forward.key, asked, grant.lifetime)
        return grant

    def _clean_up(
        self, wan: WanActions, forward: PortForward, error: NATError, before: Reading, *, keep: bool = False
    ) -> bool:
        """Delete what an unconfirmed request may have made, unless we had it before. Raises Refused where that fails:
        no other port is tried.

        Whether it was made after all: the answer may have been a yes, and the table shows the entry. Where there was no
        answer, the request may have been lost: then the entry has to be new, or its lease extended.
        """
        since = Reading() if isinstance(error, Unreadable) else before
        try:
            listed = self.table.look(wan, forward)
            leads_here = listed.entry is not None and self._rule.leads_here(forward, listed.entry)
            is_right = listed.is_right(since, self._leases.asked, self._granted.last(forward.key))
            if isinstance(error, _MAY_BE_YES) and leads_here and is_right:
                return True
            if listed.entry is not None and not leads_here:
                self.held.pop(forward.key, None)
            elif not keep:
                self._delete(wan, forward)
        except NATError as failure:
            if keep:
                _log.debug("whether %s was renewed cannot be read: %s", forward, failure)
                return False
            _log.warning("%s may be left at the gateway, for it could not be deleted: %s", forward, failure)
            if isinstance(error, NoEffect):
                raise Refused(f"{error}; what it may have made could not be deleted: {failure}") from failure
        return False

    def _confirm(self, wan: WanActions, request: MappingRequest, before: Reading, asked: int) -> Grant:
        """Read the entry back, and insist until it is as it should be. Raises Conflict, and Refused for no effect."""
        forward = request.forward
        listed = self._read_back(wan, forward)
        self._granted.note_renewal(before, listed)
        if listed.known and listed.entry is None:
            with suppress(Unreadable):  # the table is read next
                self._add(wan, request)
            asked = self._leases.asked
            listed = self._read_back(wan, forward)
        if listed.known and not listed.is_right(before, asked, self._granted.last(forward.key)):
            self._delete(wan, forward, keep=True)
            with suppress(Unreadable):  # the table is read next
                self._add(wan, request)
            asked = self._leases.asked
            listed = self._read_back(wan, forward)
        if not listed.known:
            _log.info("%s: %s", forward, NOT_READ_BACK)
            return Grant(forward.external_port, asked, note=NOT_READ_BACK)
        if listed.entry is None or not listed.entry.enabled:
            what = "as switched off" if listed.entry else "nothing"
            message = f"the gateway said yes to {forward}, but lists {what}; restart it, or map the port by hand"
            raise NoEffect(message, code=code.NO_SUCH_ENTRY)
        return Grant(forward.external_port, granted(asked, listed.entry.lease))

    def _ask(self, wan: WanActions, request: MappingRequest, before: PortMappingEntry | None) -> int:
        """Ask for the entry, and answer with the lease asked for. Our own old entry may stand in the way (718)."""
        try:
            return self._add(wan, request)
        except Conflict:  # not for 501, a word of some for 718: of others it is one for a line that is down
            if before is None:
                raise
            self._delete(wan, request.forward, keep=True)
            return self._add(wan, request)

    def _add(self, wan: WanActions, request: MappingRequest) -> int:
        """Add with a lease, or without one where the gateway knows none. Answers with the lease asked for."""
        forward = request.forward
        wanted = (*forward.key, forward.client, forward.internal_port, request.description)
        self._leases.ask(request.lifetime, lambda lease: wan.add(*wanted, lease))
        return self._leases.asked

    def _read_back(self, wan: WanActions, forward: PortForward) -> Reading:
        """Our entry as the gateway lists it; none where it said yes and did not do it. Raises Conflict."""
        listed = self.table.confirm(wan, forward)
        if listed.entry is None or self._rule.leads_here(forward, listed.entry):
            return listed
        self.held.pop(forward.key, None)
        raise PortTaken.by(forward, listed.entry.client)

    # Entries of other programs, and old ones of ours ------------------------------------------------------------

    def _adopt(self, wan: WanActions, request: MappingRequest, entry: PortMappingEntry) -> Grant:
        """Take over the entry as it is: its lease is extended under its own description, a permanent one left alone."""
        forward = request.forward
        self.held.pop(forward.key, None)
        self._adopted.add(forward.key)
        note = f"made by another program ({entry.description or 'without a name'}), and taken over as it is"
        if not entry.lease:
            return Grant(forward.external_port, 0, note=note)
        lease = min(request.lifetime, MAX_LEASE)
        try:
            wan.add(*forward.key, forward.client, forward.internal_port, entry.description, lease)
        except (Refused, SpecError) as refusal:
            _log.debug("%s is not extended: %s", forward, refusal)
            return Grant(forward.external_port, entry.lease, note=note)
        listed = self.table.confirm(wan, forward).entry
        return Grant(forward.external_port, granted(lease, listed.lease if listed else entry.lease), note=note)

    def _delete_stale(self, wan: WanActions, forward: PortForward, entry: PortMappingEntry) -> None:
        """Delete what we left behind. In secure mode gateways let only the client itself do that, which is gone."""
        try:
            self._delete(wan, forward)
        except Refused as refusal:
            _log.info(
                "our old entry for external port %d/%s still leads to %s, and the gateway keeps it until its lease "
                "ends, so another port is asked for: %s",
                forward.external_port,
                forward.protocol,
                entry.client,
                refusal,
            )
            raise PortTaken.by(forward, f"our own old entry, which leads to {entry.client}") from refusal
        _log.info("our old entry for external port %d/%s led to %s: replaced", *reversed(forward.key), entry.client)

    def _delete_and_check(self, wan: WanActions, forward: PortForward, listed: Reading) -> None:
        """Delete the entry. Raises Refused where the gateway still lists it as before."""
        self._delete(wan, forward)
        if listed.entry is not None and self.table.look(wan, forward).is_like(listed):
            raise Refused(f"the gateway said yes to deleting {forward}, but still lists it; look into its settings")

    def _delete(self, wan: WanActions, forward: PortForward, *, keep: bool = False) -> None:
        """Delete the entry; that there is none is as good. With `keep` it is asked for again at once."""
        try:
            wan.delete(*forward.key)
        except (Refused, ErrorWithoutCode) as refusal:
            if not self.table.had_nothing(wan, forward, refusal):
                raise
        except Unreadable as error:
            _log.debug("%s is deleted, by the status of the answer: %s", forward, error)
        if not keep:
            self.held.pop(forward.key, None)
