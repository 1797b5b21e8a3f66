"""One talk with an IGD: miniupnpc, typed.

Law: miniupnpc is called nowhere else, only through a `Gatekeeper`, and only with values that were checked here: its C
code takes port 70000 for 4464 and escapes nothing. One object serves one talk on one thread; a shared one crashes.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any, Self, TypeVar

from portmap.errors import Garbled, PluginError, Refused, SpecError
from portmap.model import MAX_PORT, Protocol
from portmap_upnp.control.soap_client import Gatekeeper
from portmap_upnp.control.upnp_errors import ACTION_FAILED, INVALID_ARGS, INVALID_INDEX, NO_SUCH_ENTRY
from portmap_upnp.discovery.description import Service

try:
    import miniupnpc
except ImportError as missing:  # no wheel for this Python or platform
    raise PluginError("needs miniupnpc: pip install portmap-nat[upnp]") from missing

T = TypeVar("T")

UP = ("Connected", "Up")  # WANIPConnection:1 §2.2.2 and what some routers say instead
BREATH = 0.25  # seconds: some gateways fail (501) when a call follows the last too soon; geth leaves 0.2 (geth#21370)
MAX_LEASE = 604800  # one week: WANIPConnection:2 §2.3.16
_NOT_LISTED = {NO_SUCH_ENTRY, INVALID_INDEX, INVALID_ARGS, ACTION_FAILED}  # routers word it in these four ways
DESCRIPTION_LENGTH = 32  # characters: with longer or odd ones some routers fail (501)
_DESCRIPTION = re.compile(rf"[A-Za-z0-9 _.:-]{{1,{DESCRIPTION_LENGTH}}}")


@dataclass(frozen=True, slots=True)
class PortMappingEntry:
    """One line of the gateway's table. `client` is its text, `lease` the seconds left (0 = permanent or not told)."""

    client: str
    port: int
    description: str
    lease: int
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of the table when it is read from top to bottom, as the gateway words it; nothing is checked."""

    protocol: str
    external_port: int
    client: str
    internal_port: int
    description: str
    lease: int
    remote_host: str = ""


@dataclass(frozen=True, slots=True)
class WanStatus:
    """The WAN side: ConnectionStatus, e.g. `Connected`, and how many seconds it has been so (0 = not told)."""

    connection: str
    uptime: int = 0


class WanConnection:
    """A talk with one service of a gateway, inside `with`, over by `deadline` (time.monotonic).

    Every method raises portmap errors only.
    """

    def __init__(self, service: Service, deadline: float) -> None:
        self._gatekeeper = Gatekeeper(service, deadline)
        self._upnp: Any = None
        self._gave_a_breath = False
        self._breathless = False

    def __enter__(self) -> Self:
        self._gatekeeper.__enter__()
        try:
            self._upnp = miniupnpc.UPnP()
            self._ask(self._upnp.selectigd, self._gatekeeper.description_url)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._upnp = None
        self._gatekeeper.__exit__()

    def until(self, deadline: float) -> "WanConnection":
        """The same talk, going on until then (time.monotonic)."""
        self._gatekeeper.deadline = deadline
        self._gave_a_breath = False
        return self

    def status(self) -> WanStatus:
        """How the WAN side is."""
        connection, uptime, _last_error = self._ask(self._upnp.statusinfo)
        return WanStatus(str(connection), int(uptime))

    def external_ip(self) -> str:
        """What the gateway gives as its external address, unparsed."""
        return str(self._ask(self._upnp.externalipaddress))

    def entry(self, protocol: Protocol, external_port: int) -> PortMappingEntry | None:
        """Who has the external port; None where the gateway lists nobody.

        Raises Refused where the gateway cannot be asked (401, 602, 606).
        """
        try:
            found = self._ask(self._upnp.getspecificportmapping, _port(external_port), protocol.value)
        except Refused as refusal:
            if refusal.code in _NOT_LISTED:
                return None
            raise
        if found is None:
            raise Garbled("the gateway lists an entry that makes no sense")
        client, port, description, enabled, lease = found
        return PortMappingEntry(str(client), int(port), str(description), max(0, int(lease)), bool(enabled))

    def table_row(self, index: int) -> TableRow:
        """The row at this place of the table, from 0. Raises Refused where there is none, in the router's own way."""
        found = self._ask(self._upnp.getgenericportmapping, index)
        if found is None:
            raise Garbled(f"row {index} of the gateway's table makes no sense")
        external_port, protocol, (client, port), description, _enabled, remote_host, lease = found
        return TableRow(protocol, int(external_port), client, int(port), description, int(lease), remote_host)

    def add(
        self, protocol: Protocol, external_port: int, client: IPv4Address, port: int, description: str, lease: int
    ) -> None:
        """Ask for a mapping; lease 0 for a permanent one. The gateway's yes is not proof: look at `entry`."""
        if not 0 <= lease <= MAX_LEASE:
            raise SpecError(f"lease {lease} is out of range: use 0 to {MAX_LEASE} seconds")
        if not _DESCRIPTION.fullmatch(description):
            raise SpecError(f"mapping description {description!r} is too long or has odd characters")
        inner = (str(client), _port(port), description, "", lease)
        self._ask(self._upnp.addportmapping, _port(external_port), protocol.value, *inner)

    def delete(self, protocol: Protocol, external_port: int) -> None:
        """Delete an entry. Raises Refused with 714 where there is none."""
        self._ask(self._upnp.deleteportmapping, _port(external_port), protocol.value)

    def _ask(self, call: Callable[..., T], *arguments: object) -> T:
        """One call. Where it failed without a reason, once more, after a breath; if that helps, always after one."""
        if self._breathless:
            time.sleep(BREATH)
        try:
            return self._call(call, *arguments)
        except Refused as refusal:
            if refusal.code != ACTION_FAILED or self._breathless or self._gave_a_breath:
                raise
        self._gave_a_breath = True
        time.sleep(BREATH)
        answer = self._call(call, *arguments)
        self._breathless = True
        return answer

    def _call(self, call: Callable[..., T], *arguments: object) -> T:
        """One call of miniupnpc; what the gatekeeper found wrong counts, not what miniupnpc says of it."""
        self._gatekeeper.expect()
        try:
            answer = call(*arguments)
        except Exception as error:  # miniupnpc raises nothing more precise
            raise self._gatekeeper.failure or Garbled(f"an answer that miniupnpc does not read: {error}") from error
        if self._gatekeeper.failure:
            raise self._gatekeeper.failure
        return answer


def _port(port: int) -> int:
    if not 1 <= port <= MAX_PORT:
        raise SpecError(f"port {port} is out of range: use 1 to {MAX_PORT}")
    return port
