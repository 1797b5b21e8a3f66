"""SOAP (UPnP Device Architecture 1.1 §3.1): a call as an HTTP request, a reply as values or an error.

Pure. A fault counts wherever it is legible. Success needs a 2xx status and no fault; whether it had an effect is for
the table to tell. Anything else is an error.
"""

import re
from collections.abc import Mapping

from portmap.errors import Garbled, NoGateway, NotAuthorized, Refused
from portmap_upnp.control.upnp_errors import code_in, error_for_code
from portmap_upnp.http import Request
from portmap_upnp.xml_tree import Element, parse

_ENVELOPE = (
    '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
    '<u:{action} xmlns:u="{service}">{arguments}</u:{action}></s:Body></s:Envelope>\r\n'
)
_FAULT = "Fault"
_ERROR_CODE = re.compile(rb"<(?:[\w.-]{1,20}:)?errorCode[^<>]{0,80}>\s{0,20}(-?[0-9]{1,6})\b")


class ErrorWithoutCode(Garbled):
    """HTTP status 500, or a fault, without a UPnP error: some routers' word for "no such entry"."""


class ActionMissing(NoGateway):
    """HTTP status 404, 405 or 410: this action, or the whole service, is not there."""


class Unreadable(Garbled):
    """A success by its HTTP status, with content that cannot be read."""


def build_request(service_type: str, action: str, arguments: Mapping[str, object]) -> Request:
    """A call of an action, byte for byte as miniupnpc writes it. The arguments are in the order of the dictionary."""
    leaves = "".join(f"<{name}>{_escaped(str(value))}</{name}>" for name, value in arguments.items())
    body = _ENVELOPE.format(action=action, service=service_type, arguments=leaves)
    headers = {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{service_type}#{action}"'}
    return Request("POST", headers, body.encode("utf-8"))


def _escaped(text: str) -> str:
    """As xml.sax.saxutils.escape, which imports urllib.request: 20 ms, most of it http.client and ssl."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def parse_reply(action: str, status: int, body: bytes) -> dict[str, str]:
    """The values that the gateway answered to `action`; none for an empty success.

    Raises Refused with the UPnP error code, ActionMissing, Unreadable or Garbled.
    """
    is_success = 200 <= status < 300
    if is_success and not body.strip():
        return {}
    values = _values(action, status, body)
    words = values.get("errorDescription", "")
    code = code_in(values.get("errorCode", ""), words)
    if code or "errorCode" in values:
        raise error_for_code(action, code, words)
    if not is_success:
        raise _error_for_status(action, status)
    if _FAULT in values:
        raise ErrorWithoutCode(f"the gateway answered {action} with a fault without a reason")
    return values


def _values(action: str, status: int, body: bytes) -> dict[str, str]:
    """The texts of all elements without children, and of those that tell of a fault."""
    try:
        root = parse(body)
    except Garbled as error:
        if code := _ERROR_CODE.search(body):
            return {"errorCode": code[1].decode("ascii")}
        if not 200 <= status < 300:
            raise _error_for_status(action, status) from error
        raise Unreadable(f"the gateway answered {action} with something that cannot be read: {error}") from error
    told = ("errorCode", _FAULT)
    values = {leaf.name: leaf.text.strip() for leaf in root.walk() if not leaf.children or leaf.name in told}
    if "errorCode" not in values and 200 <= status < 300 and not _is_envelope(root):
        raise Unreadable(f"the gateway answered {action} with something that is no reply to it")
    return values


def _is_envelope(root: Element) -> bool:
    return root.name == "Envelope" or any(element.name.endswith("Response") for element in root.walk())


def _error_for_status(action: str, status: int) -> NoGateway | Refused | Garbled:
    """The error for an HTTP status that comes without a UPnP error."""
    if status in (401, 403):
        return NotAuthorized(
            f"the gateway refused {action}: HTTP status {status}; allow UPnP in its settings", code=status
        )
    if status in (404, 405, 410):
        return ActionMissing(
            f"the gateway no longer answers {action} there: HTTP status {status}; it is looked for anew"
        )
    error = ErrorWithoutCode if status == 500 else Garbled
    return error(f"the gateway answered {action} with HTTP status {status} and no reason")
