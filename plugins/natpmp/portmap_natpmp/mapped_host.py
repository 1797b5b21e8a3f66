"""Whether NAT-PMP can map to a host: only to the one that the gateway's packets come from (RFC 6886 §3.3). Pure."""

from collections.abc import Callable
from ipaddress import IPv4Address

from portmap.errors import Refused
from portmap.model import Address


def check_is_seen_as(
    client: Address | None, given: IPv4Address | None, is_on_link: Callable[[IPv4Address], bool]
) -> None:
    """Raises Refused where the gateway cannot see us as this client, which is None for this host.

    Behind an inner gateway it sees that one's outer address. A gateway that was found, not `given`, or that is in our
    own network has none in front of it, and sees us; a client in our own network is another host.
    """
    is_between = given is not None and not is_on_link(given)
    if client is None or (is_between and isinstance(client, IPv4Address) and not is_on_link(client)):
        return
    raise Refused(
        f"NAT-PMP opens ports only for the host that asks, not for {client}: ask by UPnP or PCP, or on that host "
        "(RFC 6886 §3.3)"
    )
