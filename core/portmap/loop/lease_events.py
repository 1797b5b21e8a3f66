"""Which event a change of a lease is. Pure."""

from portmap.errors import PortmapError, error_name
from portmap.events import PortAdded, PortChanged, PortEvent, PortFailed, PortLost, PortRemoved, PortRenewed
from portmap.loop.lease import Lease


def event_of_grant(before: Lease, after: Lease) -> PortEvent:
    """Added where nothing was open, changed where the port or the address is another, else renewed.

    A new note goes before any other reason.
    """
    note = after.pair.note if after.pair.note != before.pair.note else ""
    if not before.held:
        return PortAdded.of(after.mapping, reason=note or _other_port(before, after))
    was, now = before.mapping, after.mapping
    if (was.external_port, was.external_ip, was.follow) != (now.external_port, now.external_ip, now.follow):
        return PortChanged.of(now, reason=note)
    return PortRenewed.of(now, reason=note)


def _other_port(before: Lease, after: Lease) -> str:
    """That another port was given than was asked for, where one was."""
    request = before.request
    if request.follow and not request.external_port:
        return ""
    wanted = (0 if before.pair.moves else before.requested_port) or request.suggested_port
    other = after.external_port != wanted
    return f"the gateway gave port {after.external_port} instead of {wanted}" if other else ""


def event_of_failure(lease: Lease, error: PortmapError) -> PortFailed:
    """The gateway would not open or renew the port."""
    request = lease.request
    return PortFailed(
        protocol=request.protocol,
        internal_port=request.internal_port,
        external_port=lease.external_port or None,
        name=request.name,
        host=request.host,
        reason=str(error),
        error=error_name(error),
    )


def event_of_loss(lease: Lease, reason: str) -> PortLost:
    """The port is shut: its lease ran out, or it was seen gone."""
    return PortLost.of(lease.mapping, reason=reason)


def event_of_removal(lease: Lease, error: PortmapError | None, left: str = "") -> PortRemoved:
    """We are done with the port; with an error, the gateway did not confirm. `left`: why it was not to be deleted."""
    reason = f"left to run out, for it could not be deleted: {error}" if error else left
    return PortRemoved.of(lease.mapping, reason=reason, error=error_name(error))
