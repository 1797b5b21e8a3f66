"""The actions of WANIPv6FirewallControl:1: a call -> its results.

Law: pure; the state holds the state, every refusal is a `Fault`. Only the host that asks can be opened: the call must
come from InternalClient's own address, by IPv6 (§2.5.3, and miniupnpd).
"""

from dataclasses import replace
from ipaddress import AddressValueError, IPv6Address

from portmap.model import MAX_PORT, Protocol
from portmap.simulator.pinhole_table import Pinhole
from portmap.simulator.upnp.action_call import ActionCall, Results
from portmap.simulator.upnp.igd import Action
from portmap.simulator.upnp.soap import FIREWALL, SCHEMAS, Call, Fault

PROTOCOLS = {6: Protocol.TCP, 17: Protocol.UDP}  # IANA's numbers
EVERY_PROTOCOL = 65535  # §2.3.7
LONGEST_LEASE = 86400  # seconds: §2.3.3


def _status(asked: ActionCall) -> Results:
    quirks = asked.state.quirks
    return {
        "FirewallEnabled": "0" if quirks.firewall_off else "1",
        "InboundPinholeAllowed": "0" if quirks.pinholes_forbidden else "1",
    }


def _add(asked: ActionCall) -> Results:
    _refuse_where_useless(asked)
    wish, state = _wish(asked), asked.state
    objections = (
        (state.quirks.upnp_error is not None, state.quirks.upnp_error),
        (wish.client != asked.client, 606),
        (state.forbids(wish.port), 606),
        (state.quirks.full_table and state.pinholes.like(wish, asked.now) is None, 701),
    )
    code = next((code for stands, code in objections if stands), None)
    if code is not None:
        raise Fault(code)
    return {"UniqueID": str(state.open_pinhole(wish, asked.now).unique_id)}


def _update(asked: ActionCall) -> Results:
    _refuse_where_useless(asked)
    pinhole, lease = _named(asked), _lease(asked, "NewLeaseTime")
    asked.state.open_pinhole(replace(pinhole, lifetime=lease), asked.now)
    return {}


def _delete(asked: ActionCall) -> Results:
    asked.state.pinholes.remove(_named(asked))
    return {}


def _check(asked: ActionCall) -> Results:
    """Nobody counts packets here."""
    _refuse_where_useless(asked)
    _named(asked)
    raise Fault(709)


def _refuse_where_useless(asked: ActionCall) -> None:
    if asked.state.quirks.firewall_off:
        raise Fault(702)
    if asked.state.quirks.pinholes_forbidden:
        raise Fault(703)


def _wish(asked: ActionCall) -> Pinhole:
    port, number = asked.number("InternalPort", MAX_PORT), asked.number("Protocol", EVERY_PROTOCOL)
    if port == 0:
        raise Fault(706)
    if number not in PROTOCOLS:
        raise Fault(707 if number == EVERY_PROTOCOL else 705)
    remote = asked.text("RemoteHost")
    return Pinhole(
        protocol=PROTOCOLS[number],
        client=_address(asked.text("InternalClient")),
        port=port,
        lifetime=_lease(asked, "LeaseTime"),
        remote=_address(remote) if remote else "",
        remote_port=asked.number("RemotePort", MAX_PORT),
    )


def _lease(asked: ActionCall, name: str) -> int:
    lease = asked.number(name, LONGEST_LEASE)
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


def _named(asked: ActionCall) -> Pinhole:
    pinhole = asked.state.pinholes.named(asked.number("UniqueID", MAX_PORT), asked.now)
    if pinhole is None:
        raise Fault(704)
    if pinhole.client != asked.client:
        raise Fault(606)
    return pinhole


ACTIONS = {
    "GetFirewallStatus": Action("pinhole_status", _status, service=FIREWALL),
    "AddPinhole": Action("pinhole_add", _add, service=FIREWALL),
    "UpdatePinhole": Action("pinhole_update", _update, service=FIREWALL),
    "DeletePinhole": Action("pinhole_delete", _delete, service=FIREWALL),
    "CheckPinholeWorking": Action("pinhole_check", _check, service=FIREWALL),
}


def action_of(call: Call, schemas: str = SCHEMAS) -> Action | None:
    """The action that a call names, if the service has it."""
    return ACTIONS.get(call.action) if call.service == f"{schemas}:service:{FIREWALL}:1" else None
