"""Heard: what the simulated router received, as one frozen value of counters that a test compares whole.

A request counts once it has arrived and was understood, whatever the router then answers, also if it answers nothing.
What was lost on its way in does not count. Fields are only ever added.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Heard:
    """How often each kind of request arrived."""

    address: int = 0
    """NAT-PMP: external address requests (RFC 6886 §3.2)."""
    map: int = 0
    """NAT-PMP: requests to map or to renew (RFC 6886 §3.3)."""
    unmap: int = 0
    """NAT-PMP: requests with lifetime 0 (RFC 6886 §3.4)."""
    pcp_map: int = 0
    """PCP: requests to map or to renew (RFC 6887 §11)."""
    pcp_unmap: int = 0
    """PCP: requests with lifetime 0 (RFC 6887 §15.1)."""
    announce: int = 0
    """PCP: ANNOUNCE requests, which ask for a sign of life (RFC 6887 §14.1)."""
    pcp6_map: int = 0
    """PCP over IPv6: requests to open a pinhole or to renew it."""
    pcp6_unmap: int = 0
    """PCP over IPv6: requests with lifetime 0."""
    pcp6_announce: int = 0
    """PCP over IPv6: ANNOUNCE requests."""
    search: int = 0
    """SSDP: M-SEARCH, one for each search target."""
    description: int = 0
    """HTTP: the root description."""
    scpd: int = 0
    """HTTP: a service description."""
    external_ip: int = 0
    """SOAP: GetExternalIPAddress."""
    status: int = 0
    """SOAP: GetStatusInfo."""
    connection_type: int = 0
    """SOAP: GetConnectionTypeInfo."""
    nat_status: int = 0
    """SOAP: GetNATRSIPStatus."""
    add: int = 0
    """SOAP: AddPortMapping."""
    add_any: int = 0
    """SOAP: AddAnyPortMapping."""
    delete: int = 0
    """SOAP: DeletePortMapping."""
    get: int = 0
    """SOAP: GetSpecificPortMappingEntry."""
    list: int = 0
    """SOAP: GetGenericPortMappingEntry."""
    delete_range: int = 0
    """SOAP: DeletePortMappingRange."""
    list_range: int = 0
    """SOAP: GetListOfPortMappings."""
    link: int = 0
    """SOAP: GetCommonLinkProperties."""
    traffic: int = 0
    """SOAP: GetTotalBytesSent and the other counters of traffic."""
    pinhole_status: int = 0
    """SOAP: GetFirewallStatus."""
    pinhole_add: int = 0
    """SOAP: AddPinhole."""
    pinhole_update: int = 0
    """SOAP: UpdatePinhole."""
    pinhole_delete: int = 0
    """SOAP: DeletePinhole."""
    pinhole_check: int = 0
    """SOAP: CheckPinholeWorking."""
    subscribe: int = 0
    """GENA: SUBSCRIBE, new or renewed (UDA 1.1 §4.1)."""
    unsubscribe: int = 0
    """GENA: UNSUBSCRIBE (UDA 1.1 §4.1.4)."""
    second: int = 0
    """HTTP and SOAP: requests to the second gateway or to another WAN service (quirks)."""
    trap: int = 0
    """HTTP: requests to the host to which only a faulty or hostile answer leads (quirks)."""
    unknown: int = 0
    """Anything else: another version, opcode, path or action, or bytes that make no sense."""

    def incremented(self, name: str) -> "Heard":
        """The same with one more request of that name."""
        return replace(self, **{name: getattr(self, name) + 1})
