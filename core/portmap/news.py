"""What a change of a lease means to those who listen: values in, an event out.

Law: pure; decides no policy and sends nothing.
"""

from portmap import errors
from portmap.errors import PortmapError
from portmap.events import (
    MappingAdded,
    MappingChanged,
    MappingEvent,
    MappingFailed,
    MappingLost,
    MappingRemoved,
    MappingRenewed,
)
from portmap.lease import Lease


def of_grant(before: Lease, after: Lease) -> MappingEvent:
    """Added where nothing was open, changed where the port or the address is another, else renewed."""
    if not before.held:
        wanted = before.wanted_port or before.request.wish
        other = after.external_port != wanted
        reason = f"the gateway gave port {after.external_port} instead of {wanted}" if other else ""
        return MappingAdded.of(after.mapping, reason=reason)
    if (before.external_port, before.external_ip) != (after.external_port, after.external_ip):
        return MappingChanged.of(after.mapping)
    return MappingRenewed.of(after.mapping)


def of_failure(lease: Lease, error: PortmapError) -> MappingFailed:
    """The gateway would not open or renew the port."""
    request = lease.request
    return MappingFailed(
        protocol=request.protocol,
        internal_port=request.internal_port,
        external_port=lease.external_port or None,
        name=request.name,
        reason=str(error),
        error=error_name(error),
    )


def of_loss(lease: Lease, reason: str) -> MappingLost:
    """The port is shut: its lease ran out, or it was seen gone."""
    return MappingLost.of(lease.mapping, reason=reason)


def of_removal(lease: Lease, error: PortmapError | None) -> MappingRemoved:
    """We are done with the port; with an error, the gateway did not confirm."""
    reason = f"left to run out, for it could not be deleted: {error}" if error else ""
    return MappingRemoved.of(lease.mapping, reason=reason, error=error_name(error))


def error_name(error: PortmapError | None) -> str:
    """The error as programs know it: the name of its class in `portmap.errors`, or of the nearest one there."""
    return next((kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__), "")
