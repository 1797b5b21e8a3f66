"""The UPnP root description: who the simulated router is, and where its services are.

Law: pure. The tree is that of UPnP-gw-InternetGatewayDevice: a root device, its WAN device, its WAN connection device.
"""

from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from portmap.testing.soap import COMMON, SCHEMAS, WAN_IP

PATH = "/desc.xml"
CONTROL_IP = "/ctl/IPConn"
CONTROL_COMMON = "/ctl/CmnIfCfg"
GATEWAY, WAN, CONNECTION = "InternetGatewayDevice", "WANDevice", "WANConnectionDevice"


@dataclass(frozen=True, slots=True)
class Device:
    """What a router says of itself. `igd` is 1 or 2, `boot` counts its reboots (BOOTID.UPNP.ORG, UDA 1.1 §1.2.2)."""

    address: str
    http_port: int
    igd: int = 1
    boot: int = 0

    @property
    def location(self) -> str:
        """The URL of the root description."""
        return f"http://{self.address}:{self.http_port}{PATH}"

    def udn(self, name: str) -> str:
        """The unique name of one of the three devices, the same for ever at this address."""
        return f"uuid:{uuid5(NAMESPACE_URL, f'http://{self.address}/{name}')}"


def root(device: Device) -> bytes:
    """The root description, as fetched from `device.location`."""
    connection = _device(device, CONNECTION, [_service(f"{WAN_IP}:{device.igd}", "WANIPConn1", CONTROL_IP)])
    wan = _device(device, WAN, [_service(f"{COMMON}:1", "WANCommonIFC1", CONTROL_COMMON)], connection)
    gateway = _device(device, GATEWAY, [], wan)
    version = "<specVersion><major>1</major><minor>0</minor></specVersion>"
    return f'<?xml version="1.0"?>\n<root xmlns="{SCHEMAS}:device-1-0">{version}{gateway}</root>\n'.encode()


def _device(device: Device, name: str, services: list[str], inner: str = "") -> str:
    service_list = f"<serviceList>{''.join(services)}</serviceList>" if services else ""
    device_list = f"<deviceList>{inner}</deviceList>" if inner else ""
    return (
        f"\n<device><deviceType>{SCHEMAS}:device:{name}:{device.igd}</deviceType>"
        "<friendlyName>Simulated router</friendlyName>"
        "<manufacturer>portmap</manufacturer><modelName>portmap.testing</modelName>"
        f"<UDN>{device.udn(name)}</UDN>{service_list}{device_list}</device>"
    )


def _service(kind: str, name: str, control: str) -> str:
    return (
        f"\n<service><serviceType>{SCHEMAS}:service:{kind}</serviceType>"
        f"<serviceId>urn:upnp-org:serviceId:{name}</serviceId>"
        f"<controlURL>{control}</controlURL><eventSubURL>/evt/{name}</eventSubURL><SCPDURL>/{name}.xml</SCPDURL>"
        "</service>"
    )
