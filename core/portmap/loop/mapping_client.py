"""The clerk: says to the gateway what a lease says, word by word. Law: decides nothing, remembers nothing."""

import logging

from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NATError, PluginError
from portmap.loop.lease import Lease
from portmap.model import Grant

_log = logging.getLogger("portmap.loop")


class MappingClient:
    """Owned by the keeper. `deadline` is for each call, in seconds."""

    def __init__(self, nat: Nat, deadline: float) -> None:
        self._nat = nat
        self._deadline = deadline

    def add(self, lease: Lease, *, exact: bool = False) -> Grant:
        """Ask for it, or extend it; `exact`: no other port will do. Raises NATError or PluginError."""
        request = lease.request
        return self._nat.add_mapping(
            request.protocol,
            lease.requested_port,
            lease.target_port,
            request.name,
            request.lifetime,
            self._deadline,
            lease.token,
            exact=exact,
        )

    def delete(self, lease: Lease, timeout: float | None = None) -> None:
        """Delete what the gateway holds, or where that is unsure may hold. Raises NATError or PluginError."""
        timeout = self._deadline if timeout is None else timeout
        if timeout <= 0:
            raise GatewayTimeout(f"{self._nat} left no time for it")
        asked_last = lease.requested_port if lease.may_be_held else 0  # what was held is gone since, or is the same
        port = asked_last or lease.external_port or lease.requested_port or lease.target_port
        self._nat.delete_mapping(lease.request.protocol, port, lease.target_port, timeout, lease.token)

    def try_delete(self, lease: Lease) -> bool:
        """Delete what is to be had elsewhere; whether it is gone. What is nominal is the gateway's affair."""
        if lease.nominal:
            return True
        try:
            self.delete(lease)
        except (NATError, PluginError) as error:
            _log.warning(
                "%s %d stays on port %d, for it could not be deleted: %s", *lease.key, lease.external_port, error
            )
            return False
        return True
