"""The service descriptions (SCPD, UDA 1.1 §2.5): which actions a service has, with their arguments and variables.

Pure. The tables are those of WANIPConnection:1 and :2, WANPPPConnection:1, WANCommonInterfaceConfig:1 and
WANIPv6FirewallControl:1, with the actions that the simulated router does.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from portmap.simulator.upnp.soap import COMMON, FIREWALL, WAN_IP, WAN_PPP

Actions: TypeAlias = Mapping[str, str]
"""The arguments of each action: `Name` or `Name=Variable` each, those that come out after a `>`."""
Variables: TypeAlias = Mapping[str, str]
"""The type of each state variable; `*` after it: evented; then what is allowed, one after `|`, or a range `1..9`."""

_NAMES = "NewRemoteHost NewExternalPort NewProtocol"
_TARGET = "NewInternalPort NewInternalClient NewEnabled NewPortMappingDescription NewLeaseDuration"
_RANGE = "NewStartPort=ExternalPort NewEndPort=ExternalPort NewProtocol NewManage"

_CONNECTION: Actions = {
    "GetConnectionTypeInfo": "> NewConnectionType NewPossibleConnectionTypes",
    "GetStatusInfo": "> NewConnectionStatus NewLastConnectionError NewUptime",
    "GetNATRSIPStatus": "> NewRSIPAvailable NewNATEnabled",
    "GetGenericPortMappingEntry": f"NewPortMappingIndex > {_NAMES} {_TARGET}",
    "GetSpecificPortMappingEntry": f"{_NAMES} > {_TARGET}",
    "AddPortMapping": f"{_NAMES} {_TARGET}",
    "DeletePortMapping": _NAMES,
    "GetExternalIPAddress": "> NewExternalIPAddress",
}
_CONNECTION_2: Actions = {
    **_CONNECTION,
    "DeletePortMappingRange": _RANGE,
    "GetListOfPortMappings": f"{_RANGE} NewNumberOfPorts > NewPortListing",
    "AddAnyPortMapping": f"{_NAMES} {_TARGET} > NewReservedPort=ExternalPort",
}
_COMMON: Actions = {
    "GetCommonLinkProperties": (
        "> NewWANAccessType NewLayer1UpstreamMaxBitRate NewLayer1DownstreamMaxBitRate NewPhysicalLinkStatus"
    ),
    "GetTotalBytesSent": "> NewTotalBytesSent",
    "GetTotalBytesReceived": "> NewTotalBytesReceived",
    "GetTotalPacketsSent": "> NewTotalPacketsSent",
    "GetTotalPacketsReceived": "> NewTotalPacketsReceived",
}
_FIREWALL: Actions = {
    "GetFirewallStatus": "> FirewallEnabled InboundPinholeAllowed",
    "AddPinhole": (
        "RemoteHost=A_ARG_TYPE_IPv6Address RemotePort=A_ARG_TYPE_Port InternalClient=A_ARG_TYPE_IPv6Address"
        " InternalPort=A_ARG_TYPE_Port Protocol=A_ARG_TYPE_Protocol LeaseTime=A_ARG_TYPE_LeaseTime"
        " > UniqueID=A_ARG_TYPE_UniqueID"
    ),
    "UpdatePinhole": "UniqueID=A_ARG_TYPE_UniqueID NewLeaseTime=A_ARG_TYPE_LeaseTime",
    "DeletePinhole": "UniqueID=A_ARG_TYPE_UniqueID",
    "CheckPinholeWorking": "UniqueID=A_ARG_TYPE_UniqueID > IsWorking=A_ARG_TYPE_Boolean",
}

_VARIABLES: Variables = {
    "ConnectionType": "string",
    "PossibleConnectionTypes": "string* Unconfigured|IP_Routed|IP_Bridged",
    "ConnectionStatus": "string* Unconfigured|Connecting|Connected|PendingDisconnect|Disconnecting|Disconnected",
    "LastConnectionError": "string ERROR_NONE",
    "Uptime": "ui4",
    "RSIPAvailable": "boolean",
    "NATEnabled": "boolean",
    "ExternalIPAddress": "string*",
    "PortMappingNumberOfEntries": "ui2*",
    "PortMappingEnabled": "boolean",
    "PortMappingLeaseDuration": "ui4",
    "RemoteHost": "string",
    "ExternalPort": "ui2",
    "InternalPort": "ui2 1..65535",
    "PortMappingProtocol": "string TCP|UDP",
    "InternalClient": "string",
    "PortMappingDescription": "string",
    "A_ARG_TYPE_Manage": "boolean",
    "A_ARG_TYPE_PortListing": "string",
    "WANAccessType": "string DSL|POTS|Cable|Ethernet",
    "Layer1UpstreamMaxBitRate": "ui4",
    "Layer1DownstreamMaxBitRate": "ui4",
    "PhysicalLinkStatus": "string* Up|Down|Initializing|Unavailable",
    "TotalBytesSent": "ui4",
    "TotalBytesReceived": "ui4",
    "TotalPacketsSent": "ui4",
    "TotalPacketsReceived": "ui4",
    "FirewallEnabled": "boolean*",
    "InboundPinholeAllowed": "boolean*",
    "A_ARG_TYPE_IPv6Address": "string",
    "A_ARG_TYPE_Port": "ui2",
    "A_ARG_TYPE_Protocol": "ui2",
    "A_ARG_TYPE_LeaseTime": "ui4 1..86400",
    "A_ARG_TYPE_UniqueID": "ui2",
    "A_ARG_TYPE_Boolean": "boolean",
}
# An argument belongs to the variable of its name without "New", except for these.
_VARIABLE_OF = {
    "NewPortMappingIndex": "PortMappingNumberOfEntries",
    "NewNumberOfPorts": "PortMappingNumberOfEntries",
    "NewProtocol": "PortMappingProtocol",
    "NewEnabled": "PortMappingEnabled",
    "NewLeaseDuration": "PortMappingLeaseDuration",
    "NewManage": "A_ARG_TYPE_Manage",
    "NewPortListing": "A_ARG_TYPE_PortListing",
}


def scpd(service: str, igd: int) -> bytes:
    """The description of one service; `igd` says whether WANIPConnection is version 1 or 2."""
    actions = {
        WAN_IP: _CONNECTION_2 if igd >= 2 else _CONNECTION,
        WAN_PPP: _CONNECTION,
        COMMON: _COMMON,
        FIREWALL: _FIREWALL,
    }[service]
    parsed = {name: _arguments(text) for name, text in actions.items()}
    used = dict.fromkeys(variable for arguments in parsed.values() for _, _, variable in arguments)
    listed = "".join(_action(name, arguments) for name, arguments in parsed.items())
    variables = "".join(_variable(name, _VARIABLES[name]) for name in used)
    return (
        '<?xml version="1.0"?>\n<scpd xmlns="urn:schemas-upnp-org:service-1-0">'
        "<specVersion><major>1</major><minor>0</minor></specVersion>"
        f"<actionList>{listed}</actionList><serviceStateTable>{variables}</serviceStateTable></scpd>\n"
    ).encode()


def _arguments(text: str) -> list[tuple[str, str, str]]:
    """(name, direction, variable) of each argument."""
    before, _, after = text.partition(">")
    return [_argument(word, way) for way, words in (("in", before), ("out", after)) for word in words.split()]


def _argument(word: str, way: str) -> tuple[str, str, str]:
    name, _, variable = word.partition("=")
    return name, way, variable or _VARIABLE_OF.get(name) or name.removeprefix("New")


def _action(name: str, arguments: Iterable[tuple[str, str, str]]) -> str:
    leaves = "".join(
        f"<argument><name>{argument}</name><direction>{way}</direction>"
        f"<relatedStateVariable>{variable}</relatedStateVariable></argument>"
        for argument, way, variable in arguments
    )
    return f"\n<action><name>{name}</name><argumentList>{leaves}</argumentList></action>"


def _variable(name: str, text: str) -> str:
    kind, _, allowed = text.partition(" ")
    events = "yes" if kind.endswith("*") else "no"
    return (
        f'\n<stateVariable sendEvents="{events}"><name>{name}</name><dataType>{kind.removesuffix("*")}</dataType>'
        f"{_allowed(allowed)}</stateVariable>"
    )


def _allowed(text: str) -> str:
    if ".." in text:
        least, _, most = text.partition("..")
        return f"<allowedValueRange><minimum>{least}</minimum><maximum>{most}</maximum></allowedValueRange>"
    values = "".join(f"<allowedValue>{value}</allowedValue>" for value in text.split("|") if value)
    return f"<allowedValueList>{values}</allowedValueList>" if values else ""
