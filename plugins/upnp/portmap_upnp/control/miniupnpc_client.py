"""MiniupnpcClient: the WANIPConnection actions through the C library miniupnpc.

Raises portmap errors only. Unguarded: the library fetches the description itself and reads the gateway's bytes with C
parsers that have known memory errors; it ignores the HTTP status, takes a 404 for a success and loses error codes that
it does not know. One object is used on one thread.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, PluginError
from portmap.model import Protocol
from portmap_upnp.control.upnp_errors import CODES, INVALID_INDEX, OPTIONAL_ACTION, error_for_code
from portmap_upnp.control.wan_connection import (
    PortMappingEntry,
    TableRow,
    WanStatus,
    check_port,
    mapping_arguments,
    printable,
)
from portmap_upnp.location import Location

try:
    import miniupnpc
except ImportError as missing:  # no wheel for this Python or platform
    raise PluginError("needs miniupnpc: pip install portmap-nat[miniupnpc]") from missing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MiniupnpcClient:
    """The actions, through a library object made by `connect`, until `deadline` (time.monotonic)."""

    library: Any
    deadline: float

    @classmethod
    def connect(cls, location: Location, deadline: float) -> "MiniupnpcClient":
        """Let the library read the description. Raises NoGateway where it finds nothing that it understands."""
        client = cls(miniupnpc.UPnP(), deadline)
        try:
            client.library.selectigd(str(location))
        except Exception as error:  # the library raises nothing more precise
            raise NoGateway(f"miniupnpc finds no gateway at {location.origin}: {error}") from error
        return client

    def status(self) -> WanStatus:
        """ConnectionStatus and uptime."""
        connection, uptime, _last_error = self._call("GetStatusInfo", self.library.statusinfo)
        return WanStatus(printable(str(connection)), int(uptime))

    def external_ip(self) -> str:
        """The external address as the gateway writes it."""
        return printable(str(self._call("GetExternalIPAddress", self.library.externalipaddress)))

    def entry(self, protocol: Protocol, external_port: int) -> PortMappingEntry | None:
        """The entry for the external port; None where there is none, or whatever else went wrong."""
        found = self._call(
            "GetSpecificPortMappingEntry",
            self.library.getspecificportmapping,
            check_port(external_port),
            protocol.value,
        )
        if found is None:
            return None
        client, port, description, enabled, lease = found
        return PortMappingEntry(
            printable(str(client)), int(port), printable(str(description)), max(0, int(lease)), bool(enabled)
        )

    def table_row(self, index: int) -> TableRow:
        """One row of the table, from 0. Raises Refused (713) where there is none, or whatever else went wrong."""
        found = self._call("GetGenericPortMappingEntry", self.library.getgenericportmapping, index)
        if found is None:
            raise error_for_code("GetGenericPortMappingEntry", INVALID_INDEX, "")
        external_port, protocol, (client, port), description, enabled, remote_host, lease = found
        return TableRow(
            printable(str(protocol)),
            int(external_port),
            printable(str(client)),
            int(port),
            printable(str(description)),
            int(lease),
            printable(str(remote_host)),
            bool(int(enabled)),
        )

    def add(
        self, protocol: Protocol, external_port: int, client: IPv4Address, port: int, description: str, lease: int
    ) -> None:
        """Ask for an entry; lease 0 for a permanent one."""
        mapping_arguments(protocol, external_port, client, port, description, lease)  # raises for bad ones
        call = self.library.addportmapping
        self._call("AddPortMapping", call, external_port, protocol.value, str(client), port, description, "", lease)

    def add_any(self, *_: object) -> int:
        """Not offered: the library's call knows no lease."""
        raise error_for_code("AddAnyPortMapping", OPTIONAL_ACTION, "")

    def delete(self, protocol: Protocol, external_port: int) -> None:
        """Delete an entry."""
        call = self.library.deleteportmapping
        self._call("DeletePortMapping", call, check_port(external_port), protocol.value)

    def _call(self, action: str, call: Callable[..., T], *arguments: object) -> T:
        if time.monotonic() >= self.deadline:
            raise GatewayTimeout(f"no time left for {action}: the gateway answers too slowly")
        try:
            return call(*arguments)
        except Exception as error:  # the library raises nothing more precise
            raise _as_portmap_error(action, str(error)) from error


def _as_portmap_error(action: str, text: str) -> NATError:
    """The error for the library's text."""
    if text in CODES:
        return error_for_code(action, CODES[text], text)
    if "HTTP" in text or "Unknown Error" in text:  # it could not connect, or the connection broke
        return NoGateway(f"miniupnpc failed at {action}: {printable(text)}")
    if text == "UnknownError":  # a code that the library does not know
        return error_for_code(action, 0, text)
    return Garbled(f"miniupnpc failed at {action}: {printable(text)}")
