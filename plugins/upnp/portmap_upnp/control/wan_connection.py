"""WANIPConnection and WANPPPConnection: typed actions (WANIPConnection:1 §2.4, :2 §2.5).

Raises portmap errors only. What is sent is checked here; what is received is text from the network until it is typed.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import NamedTuple
from typing import Protocol as Interface

from portmap.errors import Refused, SpecError
from portmap.model import MAX_PORT, Protocol
from portmap_upnp.control.soap import ActionMissing, Unreadable
from portmap_upnp.control.soap_client import SoapClient
from portmap_upnp.control.upnp_errors import (
    ACTION_FAILED,
    INVALID_ARGS,
    INVALID_INDEX,
    NO_SUCH_ENTRY,
    OPTIONAL_ACTION,
    error_for_code,
)

UP = ("connected", "up")  # WANIPConnection:1 §2.2.2, and what some routers say instead; compared in lower case
MAX_LEASE = 604800  # one week: WANIPConnection:2 §2.3.16
DESCRIPTION_LENGTH = 32  # characters: with longer or odd ones some routers fail (501)
_NOT_LISTED = {NO_SUCH_ENTRY, INVALID_INDEX, INVALID_ARGS, ACTION_FAILED}  # routers word it in these four ways
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}")
ON, OFF = ("1", "true", "yes", "on", "enabled"), ("0", "false", "no", "off", "disabled")
"""The words of a boolean: UDA 1.1 §2.5, and what routers say instead; compared in lower case."""
_MAX_TEXT = 120  # characters of a text of the gateway that are kept


class PortMappingEntry(NamedTuple):
    """One entry of the gateway's table. `client` is its text, `lease` the seconds left (0 = permanent or not told)."""

    client: str
    port: int
    description: str
    lease: int
    enabled: bool = True


class TableRow(NamedTuple):
    """One row of the table when it is read from top to bottom, as the gateway words it; nothing is checked."""

    protocol: str
    external_port: int
    client: str
    internal_port: int
    description: str
    lease: int
    remote_host: str = ""
    enabled: bool = True


class WanStatus(NamedTuple):
    """The WAN side: ConnectionStatus, e.g. `Connected`, and how many seconds it has been so (0 = not told)."""

    connection: str
    uptime: int = 0

    @property
    def is_up(self) -> bool:
        """Whether the gateway calls itself connected, in whatever case."""
        return self.connection.strip().lower() in UP


class WanActions(Interface):
    """The actions as PortMapper and the backend use them. `WanConnection` is the one of the backend `upnp`."""

    def status(self) -> WanStatus:
        """ConnectionStatus and uptime."""

    def external_ip(self) -> str:
        """The external address as the gateway writes it."""

    def entry(self, protocol: Protocol, external_port: int) -> PortMappingEntry | None:
        """The entry for an external port; None where there is none."""

    def table_row(self, index: int) -> TableRow:
        """One row of the table, from 0."""

    def add(
        self, protocol: Protocol, external_port: int, client: IPv4Address, port: int, description: str, lease: int
    ) -> None:
        """Ask for an entry; lease 0 for a permanent one."""

    def add_any(
        self, protocol: Protocol, external_port: int, client: IPv4Address, port: int, description: str, lease: int
    ) -> int:
        """Ask for an entry on a port of the gateway's choice; the port."""

    def delete(self, protocol: Protocol, external_port: int) -> None:
        """Delete an entry."""


class WanConnection:
    """The typed actions of one service, through `soap`. Every method raises portmap errors only."""

    def __init__(self, soap: SoapClient) -> None:
        self.soap = soap

    def status(self) -> WanStatus:
        """ConnectionStatus and uptime."""
        values = self.soap.call("GetStatusInfo")
        return WanStatus(text_of(values, "NewConnectionStatus"), _number(values, "NewUptime"))

    def external_ip(self) -> str:
        """The external address as the gateway writes it, unparsed; "" where it writes none."""
        return text_of(self.soap.call("GetExternalIPAddress"), "NewExternalIPAddress")

    def entry(self, protocol: Protocol, external_port: int) -> PortMappingEntry | None:
        """The entry for the external port, with empty values where the gateway gives none; None where it lists none.

        Raises Refused where the gateway cannot be asked (401, 602, 606).
        """
        arguments = {"NewRemoteHost": "", "NewExternalPort": check_port(external_port), "NewProtocol": protocol.value}
        try:
            values = self.soap.call("GetSpecificPortMappingEntry", **arguments)
        except Refused as refusal:
            if refusal.code in _NOT_LISTED:
                return None
            raise
        return PortMappingEntry(
            text_of(values, "NewInternalClient"),
            _number(values, "NewInternalPort"),
            text_of(values, "NewPortMappingDescription"),
            max(0, _number(values, "NewLeaseDuration")),
            is_enabled(values),
        )

    def table_row(self, index: int) -> TableRow:
        """The row at this place of the table, from 0. Raises Refused where there is none, in the router's own way."""
        values = self.soap.call("GetGenericPortMappingEntry", NewPortMappingIndex=index)
        if "NewInternalClient" not in values:
            raise Unreadable(f"row {index} of the gateway's table makes no sense")
        return TableRow(
            text_of(values, "NewProtocol"),
            _number(values, "NewExternalPort"),
            text_of(values, "NewInternalClient"),
            _number(values, "NewInternalPort"),
            text_of(values, "NewPortMappingDescription"),
            _number(values, "NewLeaseDuration"),
            text_of(values, "NewRemoteHost"),
            is_enabled(values),
        )

    def add(
        self, protocol: Protocol, external_port: int, client: IPv4Address, port: int, description: str, lease: int
    ) -> None:
        """Ask for a mapping; lease 0 for a permanent one. The gateway's yes is not proof: read `entry`."""
        self.soap.call("AddPortMapping", **mapping_arguments(protocol, external_port, client, port, description, lease))

    def add_any(
        self, protocol: Protocol, external_port: int, client: IPv4Address, port: int, description: str, lease: int
    ) -> int:
        """Ask for a mapping on a port of the gateway's choice, preferably this one; the port.

        Raises Refused with 401 or 602 where the gateway does not offer that (WANIPConnection:1), and Unreadable for a
        yes that names no port.
        """
        arguments = mapping_arguments(protocol, external_port, client, port, description, lease)
        try:
            values = self.soap.call("AddAnyPortMapping", **arguments)
        except ActionMissing as error:
            raise error_for_code("AddAnyPortMapping", OPTIONAL_ACTION, str(error)) from error
        reserved = _number(values, "NewReservedPort")
        if not 1 <= reserved <= MAX_PORT:
            raise Unreadable(f"the gateway said yes to AddAnyPortMapping, and names port {reserved}")
        return reserved

    def delete(self, protocol: Protocol, external_port: int) -> None:
        """Delete an entry. Raises Refused with 714 where there is none."""
        arguments = {"NewRemoteHost": "", "NewExternalPort": check_port(external_port), "NewProtocol": protocol.value}
        self.soap.call("DeletePortMapping", **arguments)


def mapping_arguments(
    protocol: Protocol, external_port: int, client: IPv4Address, port: int, description: str, lease: int
) -> dict[str, object]:
    """The arguments of AddPortMapping in the order of the service description. Raises SpecError for bad ones."""
    if not 0 <= lease <= MAX_LEASE:
        raise SpecError(f"lease {lease} is out of range: use 0 to {MAX_LEASE} seconds")
    if not (1 <= len(description) <= _MAX_TEXT and description.isprintable()):
        raise SpecError(f"mapping description {description!r} is too long or has odd characters")
    return {
        "NewRemoteHost": "",
        "NewExternalPort": check_port(external_port),
        "NewProtocol": protocol.value,
        "NewInternalPort": check_port(port),
        "NewInternalClient": client,
        "NewEnabled": 1,
        "NewPortMappingDescription": description,
        "NewLeaseDuration": lease,
    }


def check_port(port: int) -> int:
    """The port. Raises SpecError for one that cannot be."""
    if not 1 <= port <= MAX_PORT:
        raise SpecError(f"port {port} is out of range: use 1 to {MAX_PORT}")
    return port


def text_of(values: Mapping[str, str], name: str) -> str:
    """A text of the gateway: short, printable, "" where it is missing."""
    return printable(values.get(name, ""))


def printable(text: str) -> str:
    """The text, cut, with "?" for each character that is not printable."""
    text = text[:_MAX_TEXT]
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


def is_enabled(values: Mapping[str, str]) -> bool:
    """NewEnabled: on unless it says off. Some routers write a word, some nothing."""
    return values.get("NewEnabled", "").lower() not in OFF


def _number(values: Mapping[str, str], name: str) -> int:
    """A whole number of the gateway; 0 where it is missing or none."""
    text = values.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else 0
