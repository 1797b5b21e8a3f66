"""The actions of WANIPv6FirewallControl:1: a call -> its results.

Pure but for the RouterState that a call carries; every refusal is a `Fault`. Only the host that asks can be opened: the
call must come from InternalClient's own address, by IPv6 (§2.5.3, and miniupnpd).
"""

from dataclasses import replace
from ipaddress import AddressValueError, IPv6Address

from portmap.model import MAX_PORT, Protocol
from portmap.simulator.pinhole_table import Pinhole
from portmap.simulator.upnp.action_call import ActionCall, Results
from portmap.simulator.upnp.igd import Action
from portmap.simulator.upnp.soap import FIREWALL, SCHEMAS, Fault, SoapCall

PROTOCOLS = {6: Protocol.TCP, 17: Protocol.UDP}  # IANA's numbers
EVERY_PROTOCOL = 65535  # §2.3.7
LONGEST_LEASE = 86400  # seconds: §2.3.3


def _status(call: ActionCall) -> Results:
    quirks = call.state.quirks
    return {
        "FirewallEnabled": "0" if quirks.firewall_off else "1",
        "InboundPinholeAllowed": "0" if quirks.pinholes_forbidden else "1",
    }


def _add(call: ActionCall) -> Results:
    _refuse_where_useless(call)
    requested, state = _requested(call), call.state
    objections = (
        (state.quirks.upnp_error is not None, state.quirks.upnp_error),
        (requested.client != call.client, 606),
        (state.forbids(requested.port), 606),
        (state.quirks.full_table and state.pinholes.like(requested, call.now) is None, 701),
    )
    code = next((code for stands, code in objections if stands), None)
    if code is not None:
        raise Fault(code)
    return {"UniqueID": str(state.open_pinhole(requested, call.now).unique_id)}


def _update(call: ActionCall) -> Results:
    _refuse_where_useless(call)
    pinhole, lease = _named(call), _lease(call, "NewLeaseTime")
    call.state.open_pinhole(replace(pinhole, lifetime=lease), call.now)
    return {}


def _delete(call: ActionCall) -> Results:
    call.state.pinholes.remove(_named(call))
    return {}


def _check(call: ActionCall) -> Results:
    """No packets are counted here."""
    _refuse_where_useless(call)
    _named(call)
    raise Fault(709)


def _refuse_where_useless(call: ActionCall) -> None:
    if call.state.quirks.firewall_off:
        raise Fault(702)
    if call.state.quirks.pinholes_forbidden:
        raise Fault(703)


def _requested(call: ActionCall) -> Pinhole:
    port, number = call.number("InternalPort", MAX_PORT), call.number("Protocol", EVERY_PROTOCOL)
    if port == 0:
        raise Fault(706)
    if number not in PROTOCOLS:
        raise Fault(707 if number == EVERY_PROTOCOL else 705)
    remote = call.text("RemoteHost")
    return Pinhole(
        protocol=PROTOCOLS[number],
        client=_address(call.text("InternalClient")),
        port=port,
        lifetime=_lease(call, "LeaseTime"),
        remote=_address(remote) if remote else "",
        remote_port=call.number("RemotePort", MAX_PORT),
    )


def _lease(call: ActionCall, name: str) -> int:
    lease = call.number(name, LONGEST_LEASE)
    if lease == 0:  # a pinhole always ends
        raise Fault(402)
    return lease


def _address(text: str) -> str:
    if text in ("", "*"):
        raise Fault(708)
    try:
        return str(IPv6Address(text))
    except AddressValueError as error:
        raise Fault(402) from error


def _named(call: ActionCall) -> Pinhole:
    pinhole = call.state.pinholes.named(call.number("UniqueID", MAX_PORT), call.now)
    if pinhole is None:
        raise Fault(704)
    if pinhole.client != call.client:
        raise Fault(606)
    return pinhole


ACTIONS = {
    "GetFirewallStatus": Action("pinhole_status", _status, service=FIREWALL),
    "AddPinhole": Action("pinhole_add", _add, service=FIREWALL),
    "UpdatePinhole": Action("pinhole_update", _update, service=FIREWALL),
    "DeletePinhole": Action("pinhole_delete", _delete, service=FIREWALL),
    "CheckPinholeWorking": Action("pinhole_check", _check, service=FIREWALL),
}


def action_of(call: SoapCall, schemas: str = SCHEMAS, *, odd_types: bool = False) -> Action | None:
    """The action that a call names, if the service has it. `odd_types`: its type may be without a version."""
    service = f"{schemas}:service:{FIREWALL}".lower()
    known = {f"{service}:1", service} if odd_types else {f"{service}:1"}
    return ACTIONS.get(call.action) if call.service.lower() in known else None
