"""One talk with a gateway's IPv6 firewall: the service WANIPv6FirewallControl:1, in SOAP of our own.

Law: miniupnpc's Python module has no call for pinholes and no IPv6, so this is the one SOAP that it does not speak.
Nothing is lost by that: what guards it elsewhere (`gatekeeper`) is our own code anyway, and the same guards it here:
`transfer`'s bounds, `soap`'s judgement, `location6`'s vetting. A call comes from the very address that shall be opened,
or the gateway refuses it (§2.5.3); the kernel might choose another one.
"""

import logging
import re
import time
from dataclasses import dataclass
from ipaddress import IPv6Address

from portmap.errors import Garbled, GatewayTimeout, NotAuthorized, OutOfResources, Refused
from portmap.model import Protocol
from portmap_upnp.control import soap
from portmap_upnp.http import Request, exchange
from portmap_upnp.location6 import Location6, resolve_control6
from portmap_upnp.xml_tree import parse

SERVICE = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
LONGEST_LEASE = 86400  # seconds: §2.3.3
CALL_PATIENCE = 4.0  # seconds
REPLY_LIMIT = 64 * 1024  # bytes; real replies have under 1 KiB
NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17}  # IANA's
FIREWALL_OFF, NOT_ALLOWED = 702, 703  # §2.6
_MEANING: dict[int, tuple[type[Refused], str]] = {
    606: (NotAuthorized, "it forbids this host to open itself, or this port; allow it in its settings"),
    701: (OutOfResources, "it has no room for another pinhole; delete some in its settings or restart it"),
    FIREWALL_OFF: (Refused, "its IPv6 firewall is off, so that there is nothing to open"),
    NOT_ALLOWED: (NotAuthorized, "it allows no inbound pinholes; allow them in its settings"),
}
_ENVELOPE = (
    '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
    '<u:{action} xmlns:u="{service}">{arguments}</u:{action}></s:Body></s:Envelope>\r\n'
)
_UNIQUE_ID = re.compile(r"[0-9]{1,5}")  # ui2: §2.3.5
_log = logging.getLogger("portmap.upnp")


@dataclass(frozen=True, slots=True)
class FirewallStatus:
    """GetFirewallStatus (§2.5.1): whether there is anything to open, and whether that is allowed."""

    enabled: bool
    allowed: bool


@dataclass(frozen=True, slots=True)
class FirewallControl:
    """One talk, from our address `us`, over by `deadline` (time.monotonic). Every method raises portmap errors only."""

    control: Location6
    us: IPv6Address
    deadline: float

    def status(self) -> FirewallStatus:
        """How the firewall is."""
        values = self._call("GetFirewallStatus")
        return FirewallStatus(_is_on(values, "FirewallEnabled"), _is_on(values, "InboundPinholeAllowed"))

    def add(self, protocol: Protocol, port: int, lease: int) -> str:
        """Open a pinhole to our port for everybody, or renew it, for `lease` seconds; its UniqueID."""
        hole = {"RemoteHost": "", "RemotePort": 0, "InternalClient": self.us, "InternalPort": port}
        values = self._call("AddPinhole", hole | {"Protocol": NUMBERS[protocol], "LeaseTime": lease})
        unique_id = values.get("UniqueID", "")
        if not _UNIQUE_ID.fullmatch(unique_id):
            raise Garbled(f"{self.control.host} opened a pinhole under the id {unique_id[:40]!r}, which is none")
        return unique_id

    def delete(self, unique_id: str) -> None:
        """Shut a pinhole."""
        self._call("DeletePinhole", {"UniqueID": unique_id})

    def _call(self, action: str, arguments: dict[str, object] | None = None) -> dict[str, str]:
        patience = min(CALL_PATIENCE, self.deadline - time.monotonic())
        if patience <= 0:
            raise GatewayTimeout(f"no time left for {action}: {self.control.host} answers too slowly")
        request = to_request(action, arguments or {})
        _log.debug("-> %s %r", self.control, request.body)
        reply = exchange(self.control, request, limit=REPLY_LIMIT, patience=patience, source=self.us)
        _log.debug("<- %s %d %r", self.control, reply.status, reply.body)
        try:
            return soap.parse_reply(action, reply.status, reply.body)
        except Refused as refusal:
            raise _in_this_services_words(action, refusal) from refusal


def to_request(action: str, arguments: dict[str, object]) -> Request:
    """A call (UPnP Device Architecture 1.1 §3.1.1). The values are ours, and need no escaping."""
    leaves = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
    body = _ENVELOPE.format(action=action, service=SERVICE, arguments=leaves)
    headers = {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{SERVICE}#{action}"'}
    return Request("POST", headers, body.encode("ascii"))


def find_control(document: bytes, location: Location6) -> Location6:
    """Where the firewall of the device described at `location` is controlled. Raises Garbled if it has none."""
    root = parse(document)
    for element in root.walk():
        if element.name == "service" and element.text_of("serviceType") == SERVICE:
            return resolve_control6(element.text_of("controlURL"), root.text_of("URLBase"), location)
    raise Garbled(f"{location.host} opens no pinholes: it has no WANIPv6FirewallControl")


def _is_on(values: dict[str, str], name: str) -> bool:
    """A boolean (UDA 1.1 §2.5). Raises Garbled where it is missing or none."""
    match values.get(name, "").lower():
        case "1" | "true" | "yes":
            return True
        case "0" | "false" | "no":
            return False
    raise Garbled(f"the gateway's firewall does not say whether {name}: {values.get(name, '')[:40]!r}")


def _in_this_services_words(action: str, refusal: Refused) -> Refused:
    """The same refusal with what its number means here (§2.6)."""
    if refusal.code not in _MEANING:
        return refusal
    kind, meaning = _MEANING[refusal.code]
    words = f" {refusal.text}" if refusal.text else ""
    return kind(
        f"the gateway refused {action}: {meaning} (UPnP {refusal.code}{words})", code=refusal.code, text=refusal.text
    )
