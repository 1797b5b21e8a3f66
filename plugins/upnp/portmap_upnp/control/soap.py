"""SOAP (UPnP Device Architecture 1.1 §3.1): a call as an HTTP request, a reply as values or an error.

Pure. A reply counts as success only where it says so: an HTTP status, a fault and a missing Response are each judged.
"""

import re
from collections.abc import Mapping

from portmap.errors import Garbled, NoGateway, NotAuthorized, Refused
from portmap_upnp.control.upnp_errors import error_for_code
from portmap_upnp.http import Request
from portmap_upnp.xml_tree import Element, parse

_ENVELOPE = (
    '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
    '<u:{action} xmlns:u="{service}">{arguments}</u:{action}></s:Body></s:Envelope>\r\n'
)
_VALUE = re.compile(r"[A-Za-z0-9 _.:%/-]*")  # characters that need no escaping: some routers undo none


class ErrorWithoutCode(Garbled):
    """HTTP status 500 without a UPnP error: some routers' word for "no such entry"."""


def build_request(service_type: str, action: str, arguments: Mapping[str, object]) -> Request:
    """A call of an action, byte for byte as miniupnpc writes it. The arguments are in the order of the dictionary.

    Raises ValueError for a value that would need escaping: every value that we send is plain.
    """
    for value in arguments.values():
        if not _VALUE.fullmatch(str(value)):
            raise ValueError(f"{str(value)[:80]!r} needs escaping")
    leaves = "".join(f"<{name}>{value}</{name}>" for name, value in arguments.items())
    body = _ENVELOPE.format(action=action, service=service_type, arguments=leaves)
    headers = {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{service_type}#{action}"'}
    return Request("POST", headers, body.encode("ascii"))


def parse_reply(action: str, status: int, body: bytes) -> dict[str, str]:
    """The values that the gateway answered to `action`. Raises Refused, NoGateway or Garbled."""
    root = _parse(action, status, body)
    values = {leaf.name: leaf.text.strip() for leaf in root.walk() if not leaf.children}
    if "errorCode" in values:
        raise error_for_code(action, _code(values["errorCode"]), values.get("errorDescription", ""))
    if status != 200:
        raise _error_for_status(action, status)
    if not any(element.name.endswith("Response") for element in root.walk()):
        raise Garbled(f"the gateway answered {action} with something that is no reply to it")
    return values


def _parse(action: str, status: int, body: bytes) -> Element:
    try:
        return parse(body)
    except Garbled as error:
        if status != 200:
            raise _error_for_status(action, status) from error
        raise


def _error_for_status(action: str, status: int) -> NoGateway | Refused | Garbled:
    """The error for an HTTP status that comes without a UPnP error."""
    if status in (401, 403):
        return NotAuthorized(
            f"the gateway refused {action}: HTTP status {status}; allow UPnP in its settings", code=status
        )
    if status in (404, 405, 410):
        return NoGateway(f"the gateway no longer answers {action} there: HTTP status {status}; it is looked for anew")
    error = ErrorWithoutCode if status == 500 else Garbled
    return error(f"the gateway answered {action} with HTTP status {status} and no reason")


def _code(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]{1,6}", text) else 0
