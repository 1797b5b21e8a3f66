"""The actions of an Internet Gateway Device: a call -> its results (WANIPConnection:1 and :2).

Law: pure; the state holds the state, time is an argument, every refusal is a `Fault`. Where the standard leaves room it
does as miniupnpd: the lease rules of IGD:2, the codes of secure mode.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address
from typing import TypeAlias

from portmap.model import MAX_LIFETIME, MAX_PORT, Protocol
from portmap.simulator.mapping_table import Entry
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.soap import COMMON, SCHEMAS, WAN_IP, Call, Fault

LONGEST_LEASE = 604800  # seconds: WANIPConnection:2 §2.3.15
PICKY = 32  # characters, for the quirk `picky_description`
Results: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class ActionCall:
    """A call with all that is needed to do it; its readers raise Fault 402 for what cannot be read."""

    call: Call
    client: str
    state: RouterState
    now: float

    def text(self, name: str) -> str:
        """An argument that must be there."""
        if name not in self.call.arguments:
            raise Fault(402)
        return self.call.arguments[name]

    def number(self, name: str, most: int) -> int:
        """A whole number from 0 to `most`."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
            raise Fault(402)
        return int(text)

    def protocol(self) -> Protocol:
        """TCP or UDP, in upper case only."""
        try:
            return Protocol(self.text("NewProtocol"))
        except ValueError as error:
            raise Fault(402) from error

    def entry(self) -> Entry:
        """The mapping that (NewExternalPort, NewProtocol) names. Raises Fault 714."""
        port = self.number("NewExternalPort", MAX_PORT)
        found = self.state.table.at(self.protocol(), port, self.now)
        if found is None:
            raise Fault(714)
        return found

    def wish(self) -> Entry:
        """The mapping that is asked for."""
        try:
            internal_client = str(IPv4Address(self.text("NewInternalClient")))
        except AddressValueError as error:
            raise Fault(402) from error
        return Entry(
            protocol=self.protocol(),
            external_port=self.number("NewExternalPort", MAX_PORT),
            internal_client=internal_client,
            internal_port=self.number("NewInternalPort", MAX_PORT),
            lifetime=self.number("NewLeaseDuration", MAX_LIFETIME),
            description=self.text("NewPortMappingDescription"),
        )


def _external_ip(asked: ActionCall) -> Results:
    return {"NewExternalIPAddress": asked.state.stated(asked.now)}


def status_of(state: RouterState, now: float) -> str:
    """ConnectionStatus: WANIPConnection:1 §2.2.2, and another word for it."""
    if not state.wan_up(now):
        return "Disconnected"
    return "Up" if state.quirks.status_up else "Connected"


def link_of(state: RouterState, now: float) -> str:
    """PhysicalLinkStatus: WANCommonInterfaceConfig:1 §2.2.4."""
    return "Up" if state.wan_up(now) else "Down"


def _status(asked: ActionCall) -> Results:
    uptime = asked.state.epoch(asked.now)
    return {
        "NewConnectionStatus": status_of(asked.state, asked.now),
        "NewLastConnectionError": "ERROR_NONE",
        "NewUptime": str(-1 - uptime if asked.state.quirks.negative_uptime else uptime),
    }


def _connection_type(_asked: ActionCall) -> Results:
    return {"NewConnectionType": "IP_Routed", "NewPossibleConnectionTypes": "IP_Routed"}


def _nat_status(asked: ActionCall) -> Results:
    return {"NewRSIPAvailable": "0", "NewNATEnabled": "0" if asked.state.quirks.nat_said_off else "1"}


def _link(asked: ActionCall) -> Results:
    return {
        "NewWANAccessType": "Ethernet",
        "NewLayer1UpstreamMaxBitRate": "100000000",
        "NewLayer1DownstreamMaxBitRate": "100000000",
        "NewPhysicalLinkStatus": link_of(asked.state, asked.now),
    }


def _add(asked: ActionCall) -> Results:
    wish, state = _admitted(asked), asked.state
    if state.conflict(wish, asked.now):
        raise Fault(501 if state.quirks.conflict_as_501 else 718)
    if not (state.quirks.no_refresh and _is_held(wish, asked)):
        state.grant(wish, asked.now)
    return {}


def _is_held(wish: Entry, asked: ActionCall) -> bool:
    held = asked.state.table.at(wish.protocol, wish.external_port, asked.now)
    return held is not None and held.internal_port == wish.internal_port


def _add_any(asked: ActionCall) -> Results:
    wish, state = _admitted(asked), asked.state
    elsewhere = state.quirks.other_port or state.quirks.vpn_gateway or state.conflict(wish, asked.now)
    port = state.port_for(wish, asked.now) if elsewhere else wish.external_port
    if port is None:
        raise Fault(728)
    granted = state.grant(replace(wish, external_port=port), asked.now)
    return {"NewReservedPort": str(state.told_port(granted))}


def _admitted(asked: ActionCall) -> Entry:
    """The wish, if this router admits such a wish at all, with the lease rules applied."""
    wish, state = asked.wish(), asked.state
    if (code := _objection(wish, asked)) is not None:
        raise Fault(code)
    if state.igd >= 2 and not 0 < wish.lifetime <= LONGEST_LEASE:
        return replace(wish, lifetime=LONGEST_LEASE)
    return wish


def _objection(wish: Entry, asked: ActionCall) -> int | None:
    """The first errorCode that stands against the wish; None where none does."""
    state = asked.state
    quirks, foreign = state.quirks, wish.internal_client != asked.client
    objections = (
        (quirks.upnp_error is not None, quirks.upnp_error),
        (quirks.only_permanent and wish.lifetime, 725),
        (quirks.permanent_as_402 and wish.lifetime, 402),
        (quirks.no_infinite and not wish.lifetime, 402),
        (asked.text("NewRemoteHost"), 726),
        (wish.external_port == 0, 716),
        (wish.internal_port == 0, 732),
        (quirks.same_port_required and wish.external_port != wish.internal_port, 724),
        (quirks.picky_description and len(wish.description) > PICKY, 501),
        (state.forbids(wish.external_port), 606),
        (quirks.secure_mode and foreign, 606 if state.igd >= 2 else 718),
        (not state.wan_up(asked.now), 501),
        (quirks.full_table and not _is_held(wish, asked), 728),
    )
    return next((code for stands, code in objections if stands), None)


def _delete(asked: ActionCall) -> Results:
    entry = asked.entry()
    if asked.state.quirks.secure_mode and entry.internal_client != asked.client:
        raise Fault(606)
    asked.state.remove(entry)
    return {}


def _get(asked: ActionCall) -> Results:
    return _details(asked.entry(), asked.now)


def _list(asked: ActionCall) -> Results:
    entries = asked.state.table.alive(asked.now)
    index = asked.number("NewPortMappingIndex", MAX_PORT)
    if index >= len(entries):
        raise Fault(asked.state.quirks.list_ends_with or 713)
    entry = entries[index]
    names = {"NewRemoteHost": "", "NewExternalPort": str(entry.external_port), "NewProtocol": entry.protocol.value}
    return names | _details(entry, asked.now)


def _details(entry: Entry, now: float) -> Results:
    return {
        "NewInternalPort": str(entry.internal_port),
        "NewInternalClient": entry.internal_client,
        "NewEnabled": "1",
        "NewPortMappingDescription": entry.description,
        "NewLeaseDuration": str(entry.remaining(now)),
    }


@dataclass(frozen=True, slots=True)
class Action:
    """How an action is counted and done, and the service version from which on it exists."""

    heard: str
    do: Callable[[ActionCall], Results]
    service: str = WAN_IP
    since: int = 1


ACTIONS = {
    "GetExternalIPAddress": Action("external_ip", _external_ip),
    "GetStatusInfo": Action("status", _status),
    "GetConnectionTypeInfo": Action("connection_type", _connection_type),
    "GetNATRSIPStatus": Action("nat_status", _nat_status),
    "AddPortMapping": Action("add", _add),
    "AddAnyPortMapping": Action("add_any", _add_any, since=2),
    "DeletePortMapping": Action("delete", _delete),
    "GetSpecificPortMappingEntry": Action("get", _get),
    "GetGenericPortMappingEntry": Action("list", _list),
    "GetCommonLinkProperties": Action("link", _link, service=COMMON),
}


def action_of(call: Call, igd: int, schemas: str = SCHEMAS) -> Action | None:
    """The action that a call names, if a router of this version has it."""
    action = ACTIONS.get(call.action)
    if action is None or action.since > igd:
        return None
    versions = range(1, igd + 1) if action.service == WAN_IP else (1,)
    services = [f"{schemas}:service:{action.service}:{version}" for version in versions]
    return action if call.service in services else None
