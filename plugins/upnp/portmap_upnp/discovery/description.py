"""The device description (UPnP Device Architecture 1.1 §2.3): XML to services, and back for miniupnpc; pure.

Law: only what this file has understood and vetted goes on. miniupnpc never reads the device's own document, but the
minimal one that `render` writes: its C parser has known memory errors (minixml.c, fixed upstream, not released).
"""

import logging
from dataclasses import dataclass
from ipaddress import IPv4Address

from portmap.errors import Garbled
from portmap_upnp.location import Location, resolve_control
from portmap_upnp.xml_tree import Element, parse

SERVICES = (
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
    "urn:dslforum-org:service:WANIPConnection:1",
    "urn:dslforum-org:service:WANPPPConnection:1",
)
"""The services that map ports, best first. The old names at the end are all that some gateways know (Huawei HG531)."""

MAX_SERVICES = 16  # each is a place to try; a gateway has one to three

MAX_MAKER = 80  # characters of a name that people shall read

_log = logging.getLogger("portmap.upnp")
_DEVICE = "urn:schemas-upnp-org:device:InternetGatewayDevice:"
_MINIMAL = """<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceType>{device}1</deviceType>\
<serviceList><service><serviceType>{kind}</serviceType><controlURL>{control}</controlURL></service></serviceList>\
</device></root>
"""


@dataclass(frozen=True, slots=True)
class Service:
    """One service that maps ports: its type, one of `SERVICES`, where it is controlled, and where its events are."""

    service_type: str
    control: Location
    events: Location | None = None

    @property
    def usual_kind(self) -> str:
        """The same by its usual name, the only one that miniupnpc knows."""
        return self.service_type.replace("urn:dslforum-org:", "urn:schemas-upnp-org:", 1)


@dataclass(frozen=True, slots=True)
class GatewayDevice:
    """A device that maps ports. `services` is never empty, best first; `igd` is its version, "" if it does not say.

    `location` is where it describes itself, `boot` the BOOTID under which it was found there; "" for none. `maker` is
    its manufacturer's and its model's name as it tells them: text from the network.
    """

    location: Location
    igd: str
    services: tuple[Service, ...]
    boot: str = ""
    maker: str = ""

    @property
    def host(self) -> IPv4Address:
        """Its address."""
        return self.location.host

    def __str__(self) -> str:
        return f"UPnP {self.host} (IGD:{self.igd})" if self.igd else f"UPnP {self.host}"


def parse_description(document: bytes, location: Location) -> GatewayDevice:
    """What the device at `location` offers. Raises Garbled for broken XML, or where nothing there maps ports."""
    root = parse(document)
    services = _services(root, location)
    if not services:
        raise Garbled(f"{location.host} is no gateway: it offers none of WANIPConnection and WANPPPConnection")
    return GatewayDevice(location, _igd(root), services, maker=_maker(root))


def _services(root: Element, location: Location) -> tuple[Service, ...]:
    base = root.text_of("URLBase")
    elements = [it for it in root.walk() if it.name == "service" and it.text_of("serviceType") in SERVICES]
    elements.sort(key=lambda it: SERVICES.index(it.text_of("serviceType")))
    return tuple(_service(element, base, location) for element in elements[:MAX_SERVICES])


def _service(element: Element, base: str, location: Location) -> Service:
    control = resolve_control(element.text_of("controlURL"), base, location)
    return Service(element.text_of("serviceType"), control, _events(element, base, location))


def _events(element: Element, base: str, location: Location) -> Location | None:
    """Where events can be had, if that is said and stays on the host; nobody needs them."""
    try:
        return resolve_control(element.text_of("eventSubURL"), base, location)
    except Garbled as error:
        _log.debug("no events: %s", error)
        return None


def _maker(root: Element) -> str:
    """Manufacturer and model of the root device, in few printable characters."""
    device = next((element for element in root.children if element.name == "device"), Element(""))
    words = f"{device.text_of('manufacturer')} {device.text_of('modelName')}".split()
    return "".join(letter for letter in " ".join(words) if letter.isprintable())[:MAX_MAKER]


def _igd(root: Element) -> str:
    kinds = (element.text_of("deviceType") for element in root.children if element.name == "device")
    version = next(kinds, "").removeprefix(_DEVICE)
    return version if version in ("1", "2") else ""


def render(service: Service, control: str) -> bytes:
    """The description that makes miniupnpc speak this one service, at our own control path."""
    return _MINIMAL.format(device=_DEVICE, kind=service.usual_kind, control=control).encode("ascii")
