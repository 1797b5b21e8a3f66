"""SOAP as UPnP uses it, server side: request -> call, results -> answer, fault -> answer (UDA 1.1 §3).

Pure. XML with a DTD is not read at all, so there are no entities to expand; `net/http` limits the size.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from portmap.simulator.net.http import WebRequest, WebResponse

SCHEMAS = "urn:schemas-upnp-org"
WAN_IP = "WANIPConnection"
WAN_PPP = "WANPPPConnection"
COMMON = "WANCommonInterfaceConfig"
FIREWALL = "WANIPv6FirewallControl"
_ENVELOPE = (
    '<?xml version="1.0"?>\n'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
    ' s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>{}</s:Body></s:Envelope>\n'
)
_BODY = "{http://schemas.xmlsoap.org/soap/envelope/}Body"

# UDA 1.1 §3.2.2, WANIPConnection:1 and :2, and WANIPv6FirewallControl:1: the tables of error codes.
TEXTS = {
    401: "Invalid Action",
    402: "Invalid Args",
    501: "Action Failed",
    606: "Action not authorized",
    701: "PinholeSpaceExhausted",
    702: "FirewallDisabled",
    703: "InboundPinholeNotAllowed",
    704: "NoSuchEntry",
    705: "ProtocolNotSupported",
    706: "InternalPortWildcardingNotAllowed",
    707: "ProtocolWildcardingNotAllowed",
    708: "WildCardNotPermittedInSrcIP",
    709: "NoPacketSent",
    713: "SpecifiedArrayIndexInvalid",
    714: "NoSuchEntryInArray",
    715: "WildCardNotPermittedInSrcIP",
    716: "WildCardNotPermittedInExtPort",
    718: "ConflictInMappingEntry",
    724: "SamePortValuesRequired",
    725: "OnlyPermanentLeasesSupported",
    726: "RemoteHostOnlySupportsWildcard",
    727: "ExternalPortOnlySupportsWildcard",
    728: "NoPortMapsAvailable",
    729: "ConflictWithOtherMechanisms",
    730: "PortMappingNotFound",
    733: "InconsistentParameter",
    732: "WildCardNotPermittedInIntPort",
}


class Raw(str):
    """A value that is written as it is, unescaped and in Latin-1."""

    __slots__ = ()


class BareFault(Exception):
    """The call is refused with an HTTP status and no body."""

    def __init__(self, status: int) -> None:
        super().__init__(HTTPStatus(status).phrase)
        self.status = HTTPStatus(status)


class Fault(Exception):
    """The call is refused with a UPnP errorCode."""

    def __init__(self, code: int) -> None:
        super().__init__(TEXTS.get(code, "Vendor error"))
        self.code = code


@dataclass(frozen=True, slots=True)
class SoapCall:
    """One action of one service, with its arguments by name."""

    service: str
    action: str
    arguments: dict[str, str] = field(default_factory=dict)


def read(request: WebRequest) -> SoapCall:
    """Understand a control request. The SOAPACTION header need not be quoted, as on miniupnpd.

    Raises BareFault 400 where it is no service#action, Fault 402 for a body that is no plain XML.
    """
    header = request.headers.get("soapaction", "")
    if len(header) > 1 and header[0] == header[-1] == '"':
        header = header[1:-1]
    service, hash_, action = header.partition("#")
    if not (service and hash_ and action) or '"' in header:
        raise BareFault(HTTPStatus.BAD_REQUEST)
    return SoapCall(service, action, _arguments(request.body))


def _arguments(body: bytes) -> dict[str, str]:
    """The leaves of the first element in the Body. Raises Fault 402 for what is no plain XML."""
    try:
        text = body.decode("utf-8")
        if "<!DOCTYPE" in text:
            raise Fault(402)
        call = ET.fromstring(text).find(f"{_BODY}/*")  # noqa: S314  # no DTD comes this far, the size is capped
    except (UnicodeDecodeError, ET.ParseError, ValueError) as error:
        raise Fault(402) from error
    return {} if call is None else {leaf.tag.rpartition("}")[2]: (leaf.text or "").strip() for leaf in call}


def answer(call: SoapCall, results: dict[str, str]) -> WebResponse:
    """The action was done."""
    leaves = b"".join(f"<{name}>".encode() + _encoded(value) + f"</{name}>".encode() for name, value in results.items())
    tag = f"u:{escape(call.action)}Response"
    head, foot = f'<{tag} xmlns:u="{escape(call.service)}">'.encode(), f"</{tag}>".encode()
    return WebResponse(body=_enveloped(head + leaves + foot))


def _encoded(value: str) -> bytes:
    return value.encode("latin-1", "replace") if isinstance(value, Raw) else escape(value).encode()


def _enveloped(body: bytes) -> bytes:
    head, _, foot = _ENVELOPE.partition("{}")
    return head.encode() + body + foot.encode()


def refusal(fault: Fault) -> WebResponse:
    """The action was refused: always HTTP 500 (UDA 1.1 §3.2.2)."""
    body = (
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>"
        f'<UPnPError xmlns="{SCHEMAS}:control-1-0"><errorCode>{fault.code}</errorCode>'
        f"<errorDescription>{fault}</errorDescription></UPnPError></detail></s:Fault>"
    )
    return WebResponse(HTTPStatus.INTERNAL_SERVER_ERROR, _enveloped(body.encode()))
