"""How quirks change search answers and pages: right ones in, those of such a router out.

Pure. `trap` is the URL of a host of the simulated router's own that counts every request: each quirk that leads a
client to another host leads there.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from http import HTTPStatus
from typing import TypeAlias

from portmap.simulator.net.http import WebResponse
from portmap.simulator.quirks import Quirks
from portmap.simulator.upnp import ssdp
from portmap.simulator.upnp.description import PATH, PRINTER, SECOND, Device
from portmap.simulator.upnp.soap import SCHEMAS, SoapCall

LEGACY = "urn:dslforum-org"
Change: TypeAlias = Callable[[bytes], bytes]
_ERROR_CODE = re.compile(rb"<errorCode>[^<]*</errorCode>")
_RUBBISH = b"<s:Envelope\0<s:Body><s:Fault><faultcode>s:Client</faultstring><detail>%b</UPnPError></nonsense"
_TYPE = re.compile(rb"(?<=Type>)(urn:[^<]*?)(?::\d+)?(?=</)")
_FIELD_END = re.compile(rb"</modelName>|</errorDescription>|</u:\w+Response>")
_ODD_TEXTS = {
    "latin_1": b"\xf0_\xf0",
    "ampersand": b"Smith & Sons",
    "control": b"\x01\x02",
    "less_than": b"A < B",
    "unclosed": b"<br>",
}
JUNK = b"\0\0\r\n<junk"
_LAYERS = 9
BOMB = (
    b'<?xml version="1.0"?>\n<!DOCTYPE root [<!ENTITY a0 "boom">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, _LAYERS + 1))
    + b"]>\n"
)


def schema_prefix(quirks: Quirks) -> str:
    """The beginning of every device and service type."""
    return LEGACY if quirks.legacy_service_types else SCHEMAS


def search_answers(search: ssdp.Search, device: Device, quirks: Quirks, trap: str) -> tuple[bytes, ...]:
    """The datagrams that answer a search; those of other devices first."""
    if quirks.needs_mx and search.mx not in {"1", "2", "3", "4", "5"}:
        return ()
    least = 2 if quirks.igd_2_only and device.igd >= 2 else 1
    meant = replace(search, target=_understood(search.target, quirks))
    own = ssdp.answers(meant, apply_to_location(device, quirks, trap), least)
    own = own[:1] if quirks.first_match_only and search.target == ssdp.ALL else own
    return apply_to_messages((*_other_devices(search, device, quirks), *own), quirks)


def apply_to_messages(messages: tuple[bytes, ...], quirks: Quirks) -> tuple[bytes, ...]:
    """The router's SSDP messages, in its own spelling."""
    return tuple(spelt(_typed(message, quirks), quirks) for message in messages)


def apply_to_location(device: Device, quirks: Quirks, trap: str) -> Device:
    """The device, at the location that it gives."""
    if quirks.evil_location:
        return replace(device, where=f"{trap}{PATH}")
    if quirks.null_location:
        return replace(device, where=f"http://(null):{device.http_port}{PATH}")
    if quirks.location_host is not None:
        return replace(device, where=f"http://{quirks.location_host}:{device.http_port}{PATH}")
    return device


def _understood(target: str, quirks: Quirks) -> str:
    """The target in our own words; a router with the old names does not know the new ones."""
    if not quirks.legacy_service_types:
        return target
    return target.replace(LEGACY, SCHEMAS) if target.startswith(LEGACY) else target.replace(SCHEMAS, "urn:unknown")


def _other_devices(search: ssdp.Search, device: Device, quirks: Quirks) -> Iterator[bytes]:
    for number in range(quirks.search_flood):
        unknown = replace(device, prefix=f"/unknown/{number}")
        yield ssdp.answer(search.target, unknown.udn("unknown"), unknown)
    if quirks.printer_answers_first:
        other = replace(device, prefix=PRINTER)
        yield ssdp.answer(search.target, other.udn("printer"), other)
    if quirks.two_gateways:
        yield from ssdp.answers(search, replace(device, prefix=SECOND))


def spelt(message: bytes, quirks: Quirks) -> bytes:
    """The head of an HTTP or SSDP message as this router spells its header names."""
    if not quirks.lowercase_headers:
        return message
    head, end, body = message.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    pairs = (line.partition(b":") for line in lines)
    return b"\r\n".join([first, *(name.lower() + b":" + value.strip() for name, _, value in pairs)]) + end + body


def _typed(message: bytes, quirks: Quirks) -> bytes:
    if quirks.legacy_service_types:
        message = message.replace(SCHEMAS.encode(), LEGACY.encode())
    return message.replace(b"uuid:", b"uuid:not-a-uuid-") if quirks.bad_uuid else message


def redirect(quirks: Quirks, trap: str) -> WebResponse | None:
    """The response to whatever is asked, if this router redirects."""
    if not quirks.redirect:
        return None
    return WebResponse(HTTPStatus.TEMPORARY_REDIRECT, headers=(("Location", f"{trap}{PATH}"),))


def apply_to_call(response: WebResponse, call: SoapCall | None, quirks: Quirks) -> WebResponse:
    """The response to a SOAP call, as this router words success and refusal."""
    if quirks.rubbish_faults and response.status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return replace(response, body=_RUBBISH % _ERROR_CODE.findall(response.body)[0]) if response.body else response
    adds = call is not None and call.action == "AddPortMapping" and response.status is HTTPStatus.OK
    match quirks.add_answer if adds else None:
        case None:
            return response
        case "bare":
            return replace(response, body=re.sub(rb"<u:\w+Response.*</u:\w+Response>", b"", response.body))
        case "empty":
            return replace(response, body=b"")
        case "illegible":
            return replace(response, body=b"OK")
        case status:
            return replace(response, status=HTTPStatus(int(status)), body=b"")


def apply_to_page(response: WebResponse, device: Device, quirks: Quirks, trap: str) -> WebResponse:
    """An XML page as this router serves it."""
    if not response.body:
        return response
    body = response.body
    for wanted, change in _changes(device, quirks, trap):
        body = change(body) if wanted else body
    content_type = "text/html" if quirks.odd_content_type else response.content_type
    return replace(response, body=body, content_type=content_type)


def _changes(device: Device, quirks: Quirks, trap: str) -> tuple[tuple[object, Change], ...]:
    control = b"<controlURL>"
    base = f"http://{quirks.location_host}:{device.http_port}" if quirks.location_host else device.base
    return (
        (True, lambda body: _typed(body, quirks)),
        (quirks.odd_types, lambda body: _TYPE.sub(lambda found: found[1].lower(), body)),
        (quirks.odd_xml, lambda body: _odd(body, quirks.odd_xml)),
        (quirks.evil_control_url, lambda body: body.replace(control, control + trap.encode())),
        (quirks.absolute_control_url, lambda body: body.replace(control, control + base.encode())),
        (quirks.double_slash, lambda body: body.replace(control + b"/", control + b"//")),
        (quirks.url_base, lambda body: _relative(body, base)),
        (quirks.no_namespaces, lambda body: re.sub(rb' xmlns="[^"]*:device-1-0"', b"", body)),
        (quirks.xml_bomb, _bomb),
        (quirks.huge_body, lambda body: _padded(body, quirks.huge_body)),
        (quirks.junk_after_xml, lambda body: body + JUNK),
    )


def _odd(body: bytes, how: str | None) -> bytes:
    """A document with something in it that makes it no good XML."""
    match how:
        case "encoding":
            return body.replace(b'<?xml version="1.0"?>', b'<?xml version="1.0" encoding="utf-16"?>', 1)
        case "doctype":
            return body.replace(b"?>\n", b"?>\n<!DOCTYPE root>\n", 1)
        case "attributes":  # no blank between two of them
            return re.sub(rb' xmlns[^ >]*=("[^"]*")', rb" a=\1xmlns=\1", body)
    text = _ODD_TEXTS[how or "latin_1"]
    return _FIELD_END.sub(lambda end: _odd_field(text, end[0]), body)


def _odd_field(text: bytes, end: bytes) -> bytes:
    """The text in front of the end of a field, or as an argument more."""
    return (b"<NewVendor>" + text + b"</NewVendor>" if end.startswith(b"</u:") else text) + end


def _relative(body: bytes, base: str) -> bytes:
    body = body.replace(b"<controlURL>/", b"<controlURL>")
    return body.replace(b"<specVersion>", f"<URLBase>{base}/</URLBase><specVersion>".encode())


def _bomb(body: bytes) -> bytes:
    """The same document with an entity of 4 GB in its first element."""
    _, _, rest = body.partition(b"?>\n")
    end = rest.find(b">") + 1
    return BOMB + rest[:end] + b"&a%d;" % _LAYERS + rest[end:]


def _padded(body: bytes, length: int) -> bytes:
    """Blanks before the last closing tag."""
    end = body.rfind(b"</")
    return body[:end] + b" " * length + body[end:]
