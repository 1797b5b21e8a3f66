"""SOAP replies (UPnP Device Architecture 1.1 §3.1): what a gateway said, as values or an error, and back; pure.

Law: silence about failure is not success. miniupnpc ignores the HTTP status, takes a 404 for a yes, loses unlisted
error codes and reads with a C parser that has known memory errors; so each reply is judged here, and miniupnpc gets
only `render`'s plain rewrite of it.
"""

import re

from portmap.errors import Garbled, NoGateway, NotAuthorized, Refused
from portmap_upnp.control.upnp_errors import error_for_code
from portmap_upnp.xml_tree import Element, parse

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,60}")  # miniupnpc's NameValue holds 63 characters
_MAX_VALUE = 120  # and 127 for a value


class ErrorWithoutCode(Garbled):
    """HTTP status 500 without a UPnP error: some routers' word for "no such entry"."""


def parse_reply(action: str, status: int, body: bytes) -> dict[str, str]:
    """The values that the gateway answered to `action`. Raises Refused, NoGateway or Garbled."""
    root = _parse(action, status, body)
    values = {leaf.name: leaf.text.strip() for leaf in root.walk() if not leaf.children}
    if "errorCode" in values:
        raise error_for_code(action, _code(values["errorCode"]), values.get("errorDescription", ""))
    if status != 200:
        raise _bare(action, status)
    if not any(element.name.endswith("Response") for element in root.walk()):
        raise Garbled(f"the gateway answered {action} with something that is no reply to it")
    return values | _enabled(values)


def _enabled(values: dict[str, str]) -> dict[str, str]:
    """NewEnabled of an entry as miniupnpc reads it: only "1" is yes. Some routers write a word, some nothing at all."""
    if "NewInternalClient" not in values:
        return {}
    return {"NewEnabled": "0" if values.get("NewEnabled", "").lower() in ("0", "false", "no") else "1"}


def _parse(action: str, status: int, body: bytes) -> Element:
    try:
        return parse(body)
    except Garbled as error:
        if status != 200:
            raise _bare(action, status) from error
        raise


def _bare(action: str, status: int) -> NoGateway | Refused | Garbled:
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


def render(values: dict[str, str]) -> bytes:
    """The reply as miniupnpc may read it: plain ASCII, short, one flat list of values."""
    plain = "".join(f"<{name}>{_plain(value)}</{name}>" for name, value in values.items() if _NAME.fullmatch(name))
    return f'<?xml version="1.0"?>\n<Envelope><Body><Response>{plain}</Response></Body></Envelope>\n'.encode("ascii")


def _plain(value: str) -> str:
    """What needs no escaping: miniupnpc undoes none."""
    return "".join(letter if " " <= letter <= "~" and letter not in "<>&" else "?" for letter in value[:_MAX_VALUE])
