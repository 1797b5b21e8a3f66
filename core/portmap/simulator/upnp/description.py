"""The UPnP root description of the simulated router: its devices and the URLs of their services.

Pure. The tree is that of UPnP-gw-InternetGatewayDevice: a root device, its WAN device, its WAN connection device.
"""

from dataclasses import dataclass, replace
from uuid import NAMESPACE_URL, uuid5

from portmap.simulator.quirks import PPP
from portmap.simulator.upnp.soap import COMMON, FIREWALL, SCHEMAS, WAN_IP, WAN_PPP

PATH = "/desc.xml"
CONTROL_IP = "/ctl/IPConn"
CONTROL_COMMON = "/ctl/CmnIfCfg"
CONTROL_FIREWALL = "/ctl/IP6FCtl"
EVENTS_FIREWALL = "/evt/IP6FCtl"  # nothing is evented there
EVENTS_IP = "/evt/WANIPConn1"
EVENTS_COMMON = "/evt/WANCommonIFC1"
GATEWAY, WAN, CONNECTION = "InternetGatewayDevice", "WANDevice", "WANConnectionDevice"
SECOND = "/second"  # where the second gateway is
LINE = "/line"  # where the WAN services of the quirk `first_lines` are, each below its number
PRINTER = "/printer"
PRINTER_TYPE = f"{SCHEMAS}:device:Printer:1"


@dataclass(frozen=True, slots=True)
class Device:
    """What a router says of itself. `igd` is 1 or 2, `boot` counts its reboots (BOOTID.UPNP.ORG, UDA 1.1 §1.2.2).

    `prefix` begins every path; `where` is a location that is not its own. `firewall`: IPv6 pinholes can be had.
    `known_as` makes its unique names, where that is not its address. `wan_service` is the type of its WAN service,
    where that is not WANIPConnection; `newest` is the newest version for which it answers searches.
    """

    address: str
    http_port: int
    igd: int = 1
    boot: int = 0
    prefix: str = ""
    where: str = ""
    firewall: bool = False
    known_as: str = ""
    wan_service: str = ""
    newest: int = 2

    @property
    def base(self) -> str:
        """The beginning of every URL."""
        return f"http://{f'[{self.address}]' if ':' in self.address else self.address}:{self.http_port}"

    @property
    def location(self) -> str:
        """The URL of the root description."""
        return self.where or f"{self.base}{self.prefix}{PATH}"

    def udn(self, name: str) -> str:
        """The unique name of one of the three devices, the same for ever at this address."""
        return f"uuid:{uuid5(NAMESPACE_URL, f'http://{self.known_as or self.address}{self.prefix}/{name}')}"


def root(device: Device, first_lines: tuple[str, ...] = (), other_host: str = "") -> bytes:
    """The root description, as fetched from `device.location`. `other_host`: the URL to which a foreign one leads."""
    others = (_line(device, number, line, other_host) for number, line in enumerate(first_lines))
    connections = "".join((*others, _connection(device)))
    common = _service(f"{COMMON}:1", "WANCommonIFC1", device.prefix + CONTROL_COMMON, EVENTS_COMMON)
    wan = _device(device, WAN, [common], connections)
    return _document(_device(device, GATEWAY, [], wan))


def printer(device: Device) -> bytes:
    """The description of something that is no gateway."""
    return _document(
        f"\n<device><deviceType>{PRINTER_TYPE}</deviceType><friendlyName>Simulated printer</friendlyName>"
        f"<manufacturer>portmap</manufacturer><modelName>portmap.testing</modelName><UDN>{device.udn('printer')}</UDN>"
        "<serviceList>\n<service><serviceType>urn:schemas-upnp-org:service:PrintBasic:1</serviceType>"
        "<serviceId>urn:upnp-org:serviceId:1</serviceId><controlURL>/printer/ctl</controlURL>"
        "<eventSubURL>/printer/evt</eventSubURL><SCPDURL>/printer.xml</SCPDURL></service></serviceList></device>"
    )


def _document(device: str) -> bytes:
    version = "<specVersion><major>1</major><minor>0</minor></specVersion>"
    return f'<?xml version="1.0"?>\n<root xmlns="{SCHEMAS}:device-1-0">{version}{device}</root>\n'.encode()


def _connection(device: Device) -> str:
    wan_service, prefix = device.wan_service or f"{WAN_IP}:{device.igd}", device.prefix
    name = "WANPPPConn1" if wan_service.lower().startswith(WAN_PPP.lower()) else "WANIPConn1"
    services = [_service(wan_service, name, prefix + CONTROL_IP, EVENTS_IP)]
    if device.firewall:
        services.append(_service(f"{FIREWALL}:1", "WANIPv6Firewall1", prefix + CONTROL_FIREWALL, EVENTS_FIREWALL))
    return _device(device, CONNECTION, services)


def _line(device: Device, number: int, line: str, other_host: str) -> str:
    """The connection device of one of the quirk's WAN services."""
    kind = line.removeprefix(PPP)
    wan_service, name = (f"{WAN_PPP}:1", "WANPPPConn1") if line != kind else (f"{WAN_IP}:{device.igd}", "WANIPConn1")
    control = {"no_url": "", "foreign_url": f"{other_host}{CONTROL_IP}"}.get(kind, f"{LINE}/{number}{CONTROL_IP}")
    service = _service(wan_service, name, control, f"{LINE}/{number}{EVENTS_IP}")
    return _device(replace(device, prefix=f"{LINE}/{number}"), CONNECTION, [service])


def _device(device: Device, name: str, services: list[str], inner: str = "") -> str:
    service_list = f"<serviceList>{''.join(services)}</serviceList>" if services else ""
    device_list = f"<deviceList>{inner}</deviceList>" if inner else ""
    return (
        f"\n<device><deviceType>{SCHEMAS}:device:{name}:{device.igd}</deviceType>"
        "<friendlyName>Simulated router</friendlyName>"
        "<manufacturer>portmap</manufacturer><modelName>portmap.testing</modelName>"
        f"<UDN>{device.udn(name)}</UDN>{service_list}{device_list}</device>"
    )


def _service(kind: str, name: str, control: str, events: str) -> str:
    return (
        f"\n<service><serviceType>{SCHEMAS}:service:{kind}</serviceType>"
        f"<serviceId>urn:upnp-org:serviceId:{name}</serviceId>"
        f"<controlURL>{control}</controlURL><eventSubURL>{events}</eventSubURL><SCPDURL>/{name}.xml</SCPDURL>"
        "</service>"
    )
