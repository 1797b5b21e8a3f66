"""The device description (UPnP Device Architecture 1.1 §2.3): XML to services.

Pure. Rules:
- only a service whose control URL is on the described host is kept; a bad service never costs the others;
- a service type is understood whatever its version, letter case and namespace: routers write
  `WANPPPConnection:2` (Orange Livebox 3), `urn:dslforum-org:…` (Huawei HG531) and worse.
"""

import logging
import re
from typing import NamedTuple

from portmap.errors import Garbled
from portmap.model import Address
from portmap_upnp.location import Location, is_at, resolve_control
from portmap_upnp.xml_tree import Element, parse

MAX_SERVICES = 16  # each is a place to try; a gateway has one to three
MAX_MAKER = 80  # characters of a name that people shall read
_TYPE = re.compile(
    r"urn:(?P<domain>[a-z0-9.-]{1,40}):service:wan(?P<kind>ip|ppp)connection(:(?P<version>[0-9.]{0,8}))?", re.IGNORECASE
)
_FIREWALL = re.compile(r"urn:[a-z0-9.-]{1,40}:service:WANIPv6FirewallControl(:[0-9.]{0,8})?", re.IGNORECASE)
_IGD = re.compile(r"urn:[a-z0-9.-]{1,40}:device:InternetGatewayDevice:([12])", re.IGNORECASE)
_STANDARD = "schemas-upnp-org"
_log = logging.getLogger("portmap.upnp")


class Service(NamedTuple):
    """One service: its type as the device writes it, its control URL, and its event URL if it has one."""

    service_type: str
    control: Location
    events: Location | None = None


class GatewayDevice(NamedTuple):
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
    def host(self) -> Address:
        """Its address."""
        return self.location.host

    def __str__(self) -> str:
        return f"UPnP {self.host} (IGD:{self.igd})" if self.igd else f"UPnP {self.host}"


class FirewallDevice(NamedTuple):
    """A device that opens IPv6 pinholes: where it describes itself, and the service that controls its firewall."""

    location: Location
    service: Service
    boot: str = ""

    @property
    def host(self) -> Address:
        """Its address."""
        return self.location.host


def parse_description(document: bytes, location: Location) -> GatewayDevice:
    """What the device at `location` offers. Raises Garbled for broken XML, or where nothing there maps ports."""
    root = parse(document)
    services = _services(root, location)
    return GatewayDevice(location, _igd(root), services, maker=_maker(root))


def parse_firewall_description(document: bytes, location: Location) -> FirewallDevice:
    """Where the firewall of the device at `location` is controlled. Raises Garbled if it has none."""
    root = parse(document)
    missing = f"{location.host} opens no pinholes: it has no WANIPv6FirewallControl"
    return FirewallDevice(location, _usable(_of_type(_FIREWALL, root), root, location, missing)[0])


def _services(root: Element, location: Location) -> tuple[Service, ...]:
    """The services that map ports, best first. Raises Garbled where there is none to be used."""
    elements = sorted(_of_type(_TYPE, root), key=lambda it: _rank(it.text_of("serviceType")))
    missing = f"{location.host} is no gateway: it offers none of WANIPConnection and WANPPPConnection"
    return _usable(elements, root, location, missing)


def _of_type(kind: re.Pattern[str], root: Element) -> list[Element]:
    """The elements of the services whose type is of this kind."""
    return [it for it in root.walk() if it.name == "service" and kind.fullmatch(it.text_of("serviceType"))]


def _usable(elements: list[Element], root: Element, location: Location, missing: str) -> tuple[Service, ...]:
    """The services with a good control URL. Raises Garbled where there is none: with the first fault, or `missing`."""
    base = _base(root, location)
    services, faults = [], []
    for element in elements[:MAX_SERVICES]:
        try:
            services.append(_service(element, base, location))
        except Garbled as error:
            _log.debug("a service of %s is not used: %s", location.host, error)
            faults.append(error)
    if not services:
        raise faults[0] if faults else Garbled(missing)
    return tuple(services)


def _rank(service_type: str) -> tuple[bool, bool, bool]:
    """Sorts first what most routers mean: the standard's own name, WANIPConnection, version 2."""
    found = _TYPE.fullmatch(service_type)
    if found is None:
        return True, True, True
    return found["domain"].lower() != _STANDARD, found["kind"].lower() != "ip", found["version"] != "2"


def _base(root: Element, location: Location) -> str:
    """URLBase, where it names the described host; a foreign one is ignored."""
    base = root.text_of("URLBase")
    return base if base and is_at(base, location) else ""


def _service(element: Element, base: str, location: Location) -> Service:
    control = resolve_control(element.text_of("controlURL"), base, location)
    return Service(element.text_of("serviceType"), control, _events(element, base, location))


def _events(element: Element, base: str, location: Location) -> Location | None:
    """Where events can be had, if that is said and stays on the host; they are optional."""
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
    found = _IGD.fullmatch(next(kinds, ""))
    return found[1] if found else ""
