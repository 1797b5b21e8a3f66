"""The actions of an Internet Gateway Device: a call -> its results (WANIPConnection:1 and :2, WANPPPConnection:1).

Pure but for the RouterState that a call carries; every refusal is a `Fault`. Where the standard leaves room it does as
miniupnpd: the lease rules of IGD:2, the codes of secure mode, version 2's actions on an IGD:1 as well.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from portmap.model import MAX_PORT
from portmap.simulator.mapping_table import Entry
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.action_call import OTHER_HOST, ActionCall, Results
from portmap.simulator.upnp.port_listing import listing, shown_client
from portmap.simulator.upnp.soap import COMMON, SCHEMAS, WAN_IP, WAN_PPP, BareFault, Fault, Raw, SoapCall

LONGEST_LEASE = 604800  # seconds: WANIPConnection:2 §2.3.15
TOTALS = ("TotalBytesSent", "TotalBytesReceived", "TotalPacketsSent", "TotalPacketsReceived")
PICKY = 32  # characters, for the quirk `picky_description`
BAD_DESCRIPTION = Raw("\xb5Torrent & friends")  # unescaped, and in Latin-1
# What the router says of itself.


def _external_ip(call: ActionCall) -> Results:
    return {"NewExternalIPAddress": call.state.stated_address(call.now)}


def status_of(state: RouterState, now: float) -> str:
    """ConnectionStatus: WANIPConnection:1 §2.2.2, or another word for it."""
    if state.quirks.status is not None:
        return state.quirks.status
    return "Connected" if state.wan_up(now) else "Disconnected"


def link_of(state: RouterState, now: float) -> str:
    """PhysicalLinkStatus: WANCommonInterfaceConfig:1 §2.2.4."""
    return "Up" if state.wan_up(now) else "Down"


def _status(call: ActionCall) -> Results:
    uptime = call.state.uptime(call.now)
    return {
        "NewConnectionStatus": status_of(call.state, call.now),
        "NewLastConnectionError": "ERROR_NONE",
        "NewUptime": str(-1 - uptime if call.state.quirks.negative_uptime else uptime),
    }


def _connection_type(_call: ActionCall) -> Results:
    return {"NewConnectionType": "IP_Routed", "NewPossibleConnectionTypes": "IP_Routed"}


def _nat_status(call: ActionCall) -> Results:
    return {"NewRSIPAvailable": "0", "NewNATEnabled": "0" if call.state.quirks.nat_said_off else "1"}


def _link(call: ActionCall) -> Results:
    return {
        "NewWANAccessType": "Ethernet",
        "NewLayer1UpstreamMaxBitRate": "100000000",
        "NewLayer1DownstreamMaxBitRate": "100000000",
        "NewPhysicalLinkStatus": link_of(call.state, call.now),
    }


def _total(name: str) -> Callable[[ActionCall], Results]:
    """A counter of the line's traffic, which is always 0 here, as it is on Debian's miniupnpd."""
    return lambda _call: {name: "0"}


# Mappings are made.


def _add(call: ActionCall) -> Results:
    requested, state = _admitted(call), call.state
    if requested.external_port == 0:
        raise Fault(716)
    if state.forbids(requested.external_port):
        raise Fault(718 if state.quirks.forbidden_as_718 else 606)
    if state.conflict(requested, call.now):
        raise Fault(501 if state.quirks.conflict_as_501 else 718)
    if not (state.quirks.no_refresh and _is_held(requested, call)):
        state.grant(requested, call.now)
    return {}


def _is_held(requested: Entry, call: ActionCall) -> bool:
    held = call.state.table.at(requested.protocol, requested.external_port, call.now)
    return held is not None and held.internal_port == requested.internal_port


def _add_any(call: ActionCall) -> Results:
    requested, state = _admitted(call), call.state
    port = state.port_near(requested, call.now)
    if port is None:
        raise Fault(728)
    granted = state.grant(replace(requested, external_port=port), call.now)
    return {"NewReservedPort": str(state.reported_port(granted))}


def _admitted(call: ActionCall) -> Entry:
    """The requested, if this router admits such a requested at all, with the lease rules applied."""
    requested, state = call.requested(), call.state
    if (code := _objection(requested, call)) is not None:
        raise Fault(code)
    if state.igd >= 2 and not 0 < requested.lifetime <= LONGEST_LEASE:
        return replace(requested, lifetime=LONGEST_LEASE)
    return requested


def _objection(requested: Entry, call: ActionCall) -> int | None:
    """The first errorCode that stands against the request; None where none does."""
    state = call.state
    quirks, foreign = state.quirks, requested.internal_client != call.client
    objections = (
        (quirks.upnp_error is not None, quirks.upnp_error),
        (quirks.only_permanent and requested.lifetime, 725),
        (quirks.permanent_as_402 and requested.lifetime, 402),
        (quirks.no_infinite and not requested.lifetime, 402),
        (call.text("NewRemoteHost"), 726),
        (requested.internal_port == 0, 732),
        (quirks.same_port_required and requested.external_port != requested.internal_port, 724),
        (quirks.picky_description and len(requested.description) > PICKY, 501),
        (quirks.secure_mode and foreign, 606 if state.igd >= 2 else 718),
        (not state.wan_up(call.now), 501),
        (quirks.refuses_private, 501),
        (quirks.full_table and not _is_held(requested, call), 728),
    )
    return next((code for stands, code in objections if stands), None)


# Mappings are deleted.


def _delete(call: ActionCall) -> Results:
    try:
        entry = call.entry()
    except Fault as fault:
        if fault.code == 714 and call.state.quirks.forgiving_delete:
            return {}
        raise
    if call.state.quirks.secure_mode and entry.internal_client != call.client:
        raise Fault(606)
    call.state.remove(entry)
    return {}


def _delete_range(call: ActionCall) -> Results:
    """As miniupnpd: 730 where there is nothing, and in secure mode other hosts' mappings are left."""
    (first, last), protocol = call.port_range(), call.protocol()
    found = [it for it in call.state.table.alive(call.now) if it.protocol is protocol]
    meant = [
        it
        for it in found
        if first <= it.external_port <= last
        and (not call.state.quirks.secure_mode or it.internal_client == call.client)
    ]
    if not meant:
        raise Fault(730)
    for entry in meant:
        call.state.remove(entry)
    return {}


# Mappings are read.


def _get(call: ActionCall) -> Results:
    match call.state.quirks.read_back:
        case None:
            return _details(call.entry(), call)
        case "http_404":
            raise BareFault(404)
        case "http_500":
            raise BareFault(500)
        case "empty":
            return dict.fromkeys(_details(call.entry(), call), "")
        case "zero":
            zeros = {"NewInternalPort": "0", "NewInternalClient": "0.0.0.0", "NewEnabled": "0", "NewLeaseDuration": "0"}  # noqa: S104  # said
            return dict.fromkeys(_details(call.entry(), call), "") | zeros
        case code:
            raise Fault(int(code))


def _list(call: ActionCall) -> Results:
    _refuse_to_list(call)
    rows, index = call.rows(), call.number("NewPortMappingIndex", MAX_PORT)
    if index >= len(rows):
        raise Fault(call.state.quirks.list_ends_with or 713)
    entry = rows[index]
    names = {"NewRemoteHost": "", "NewExternalPort": str(entry.external_port), "NewProtocol": entry.protocol.value}
    return names | _details(entry, call)


def _list_range(call: ActionCall) -> Results:
    """As miniupnpd: a range without a mapping gives an empty list; 0 ports means all."""
    _refuse_to_list(call)
    (first, last), protocol = call.port_range(), call.protocol()
    most = call.number("NewNumberOfPorts", MAX_PORT) or MAX_PORT
    meant = [it for it in call.rows() if it.protocol is protocol and first <= it.external_port <= last][:most]
    names = ("NewRemoteHost", "NewExternalPort", "NewProtocol")
    rows = [
        dict(zip(names, ("", str(it.external_port), protocol.value), strict=True)) | _details(it, call) for it in meant
    ]
    return {"NewPortListing": listing(rows)}


def _refuse_to_list(call: ActionCall) -> None:
    if call.state.quirks.no_list is not None:
        raise Fault(call.state.quirks.no_list)


def _details(entry: Entry, call: ActionCall) -> Results:
    bad = entry.internal_client == OTHER_HOST and entry.external_port in call.state.quirks.bad_rows
    return {
        "NewInternalPort": str(entry.internal_port),
        "NewInternalClient": shown_client(entry.internal_client, call.state.quirks.client_as),
        "NewEnabled": "1",
        "NewPortMappingDescription": BAD_DESCRIPTION if bad else entry.description,
        "NewLeaseDuration": str(entry.remaining(call.now)),
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
    "DeletePortMappingRange": Action("delete_range", _delete_range, since=2),
    "GetSpecificPortMappingEntry": Action("get", _get),
    "GetGenericPortMappingEntry": Action("list", _list),
    "GetListOfPortMappings": Action("list_range", _list_range, since=2),
    "GetCommonLinkProperties": Action("link", _link, service=COMMON),
    **{f"Get{it}": Action("traffic", _total(f"New{it}"), service=COMMON) for it in TOTALS},
}


def action_of(call: SoapCall, state: RouterState, schemas: str = SCHEMAS) -> Action | None:
    """The action that a call names, if this router has it under that service type."""
    action = ACTIONS.get(call.action)
    if action is None or action.since > newest_version(state):
        return None
    return action if call.service.lower() in _services_of(action, state, schemas) else None


def newest_version(state: RouterState) -> int:
    """The newest version of WANIPConnection whose actions the router does: miniupnpd's is 2 also for an IGD:1."""
    return state.igd if state.quirks.strict_igd_1 else 2


def _services_of(action: Action, state: RouterState, schemas: str) -> set[str]:
    """The service types, in lower case, under which an action is done."""
    if action.service == COMMON:
        types = {f"{COMMON}:1"}
    elif state.quirks.wan_service is not None:
        types = {state.quirks.wan_service}
    else:
        types = {f"{WAN_PPP}:1"} | {f"{WAN_IP}:{version}" for version in range(1, newest_version(state) + 1)}
    if state.quirks.odd_types:
        types |= {name.partition(":")[0] for name in types}
    return {f"{schemas}:service:{name}".lower() for name in types}
