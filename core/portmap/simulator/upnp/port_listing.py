"""How mappings are written in a listing: the XML list of GetListOfPortMappings, and odd spellings of a host.

Pure. The list is that of WANIPConnection:2 §2.3.25, in the form that miniupnpd gives it.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address
from xml.sax.saxutils import escape

from portmap.simulator.upnp.soap import Raw

_LIST = (
    '<p:PortMappingList xmlns:p="urn:schemas-upnp-org:gw:WANIPConnection"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:schemaLocation="urn:schemas-upnp-org:gw:WANIPConnection'
    ' http://www.upnp.org/schemas/gw/WANIPConnection-v2.xsd">{}</p:PortMappingList>'
)
_NAMES = {"NewPortMappingDescription": "NewDescription", "NewLeaseDuration": "NewLeaseTime"}
"""Where the list has another name than the argument of GetGenericPortMappingEntry."""


def listing(rows: Iterable[Mapping[str, str]]) -> str:
    """NewPortListing. A value that is Raw makes the whole list so."""
    texts = [_row(row) for row in rows]
    text = _LIST.format("".join(texts))
    return Raw(f"<![CDATA[{text}]]>")


def _row(row: Mapping[str, str]) -> str:
    names = ((_NAMES.get(name, name), value) for name, value in row.items())
    leaves = (f"<p:{name}>{value if isinstance(value, Raw) else escape(value)}</p:{name}>" for name, value in names)
    return f"<p:PortMappingEntry>{''.join(leaves)}</p:PortMappingEntry>"


def shown_client(address: str, how: str | None) -> str:
    """A host's address as the quirk `client_as` lists it."""
    match how:
        case "name":
            return f"host-{address.replace('.', '-')}.lan"
        case "padded":
            return ".".join(f"{number:03}" for number in IPv4Address(address).packed)
        case "prefix":
            return f"{address}/24"
        case "blanks":
            return f" {address}\n "
    return address
