"""Turns a lease into backend calls: to open or renew it, to look for it, to delete it.

LeaseManager decides what to call.
"""

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from portmap.backends.nat import Nat
from portmap.errors import SILENCE, GatewayTimeout, NATError, PluginError
from portmap.loop.lease import Lease
from portmap.model import Grant, Key
from portmap.syntax.durations import format_duration

if TYPE_CHECKING:  # a session without mappings to other hosts does not import it
    from portmap.network.lan_hosts import LanHosts
    from portmap.storage.journal_writer import JournalWriter

_log = logging.getLogger("portmap.loop")


class Granted(NamedTuple):
    """The gateway opened or extended the mapping."""

    grant: Grant


class Failed(NamedTuple):
    """The gateway refused, or answered with nonsense."""

    error: NATError | PluginError


class NoAnswer(NamedTuple):
    """No gateway, or no answer in time. Without an answer the call may have had an effect all the same."""

    error: NATError


Outcome: TypeAlias = Granted | Failed | NoAnswer


class MappingClient:
    """`deadline`: for each call, in seconds. `lan_hosts` finds the hosts that mappings lead to.

    `journal` knows what `portmap open` has left open.
    """

    def __init__(
        self, nat: Nat, deadline: float, lan_hosts: "LanHosts | None" = None, journal: "JournalWriter | None" = None
    ) -> None:
        self._nat = nat
        self._journal = journal
        self._deadline = deadline
        self._lan_hosts = lan_hosts

    def __str__(self) -> str:
        return str(self._nat)

    def find_host(self, lease: Lease) -> Lease:
        """The lease with its host's present address. What leads to an earlier one is deleted first.

        Raises Refused where no mapping can lead to the host now.
        """
        host = lease.request.host
        if not host:
            return lease
        if self._lan_hosts is None:
            from portmap.network.lan_hosts import LanHosts  # noqa: PLC0415  # as above

            self._lan_hosts = LanHosts(interface=self._nat.interface)
        client = self._lan_hosts.address_of(host, str(self._nat))
        if lease.client not in (None, client):
            _log.info("%s is at %s now, no longer at %s", host, client, lease.client)
            self.try_delete(lease)
        return lease.leading_to(client)

    def add(self, lease: Lease, *, exact: bool = False) -> Outcome:
        """Open the mapping or extend it. `exact`: no other external port will do. Raises Interrupted only."""
        return self._add(lease, self._deadline, exact=exact)

    def _add(self, lease: Lease, timeout: float, *, exact: bool = True) -> Outcome:
        request = lease.request
        try:
            grant = self._nat.add_mapping(
                request.protocol,
                lease.requested_port,
                lease.target_port,
                request.name,
                request.lifetime,
                timeout,
                lease.token,
                exact=exact,
                client=lease.client,
            )
        except SILENCE as error:
            return NoAnswer(error)
        except (NATError, PluginError) as error:
            return Failed(error)
        return Granted(grant)

    def is_there(self, lease: Lease) -> bool | None:
        """Whether the gateway lists the mapping; None where that cannot be read. Raises what SILENCE names only."""
        request = lease.request
        try:
            return self._nat.has_mapping(
                request.protocol,
                lease.external_port,
                lease.target_port,
                self._deadline,
                lease.token,
                client=lease.client,
            )
        except SILENCE:
            raise
        except (NATError, PluginError) as error:
            _log.debug("%s cannot be looked up: %s", lease.key, error)
            return None

    def delete(self, lease: Lease, timeout: float | None = None) -> None:
        """Delete what the gateway holds or may hold. Raises NATError or PluginError."""
        timeout = self._deadline if timeout is None else timeout
        if timeout <= 0:
            raise GatewayTimeout(f"{self._nat} left no time for this call")
        asked_last = (
            lease.requested_port if lease.doubt.may_be_held else 0
        )  # what was held is gone since, or is the same
        port = asked_last or lease.external_port or lease.requested_port or lease.target_port
        self._nat.delete_mapping(
            lease.request.protocol, port, lease.target_port, timeout, lease.token, client=lease.client
        )

    def end(self, lease: Lease, timeout: float) -> str:
        """Delete the mapping, or leave it to `portmap open`. Returns why it is left. Raises NATError or PluginError."""
        left = self._give_back(lease, timeout)
        if not left:
            self.delete(lease, timeout)
        return left

    def _give_back(self, lease: Lease, timeout: float) -> str:
        """Leave the mapping to `portmap open`, if that had left it open, with the time that it has left.

        Returns what became of it, for people; empty where it is not to be left. Raises what SILENCE names only.
        """
        had = None
        if self._journal is not None and lease.held and timeout > 0:
            had = self._journal.seconds_left_open(lease.key, lease.external_port, lease.client)
        if had is None:
            return ""
        request = replace(lease.request, lifetime=had or lease.request.lifetime)
        match self._add(replace(lease, request=request), timeout):
            case NoAnswer(error):
                raise error
            case Failed(error):
                return (
                    f"left to run out: 'portmap open' had left it open, and its time could not be given back: {error}"
                )
        self._nat.release(Key.to_client(request.protocol, lease.target_port, lease.client))
        how_long = f" for {format_duration(had)}" if had else ""
        return f"left open{how_long}, as 'portmap open' had left it"

    def try_delete(self, lease: Lease) -> bool:
        """Delete a mapping that is to be opened elsewhere. Returns whether it is gone.

        With a nominal port there is nothing to delete: the gateway itself moves the mapping.
        """
        if lease.nominal:
            return True
        try:
            self.delete(lease)
        except (NATError, PluginError) as error:
            _log.warning("%s stays where it is, for it could not be deleted: %s", lease.key, error)
            return False
        return True
