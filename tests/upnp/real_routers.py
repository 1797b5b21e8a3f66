"""Answers of real routers that the tests share."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from tests.upnp.canned import http

from portmap.model import Grant, Protocol
from portmap_upnp.control.wan_connection import WanActions
from portmap_upnp.mapping.port_forward import PortForward
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    pass


US = IPv4Address("192.168.1.5")
HOST = "c0ffee"
WANTED = PortForward(Protocol.TCP, 30303, US, 30303)
ADD, GET, DELETE = "AddPortMapping", "GetSpecificPortMappingEntry", "DeletePortMapping"
ANY, LIST = "AddAnyPortMapping", "GetGenericPortMappingEntry"
YES: dict[str, str] = {}
NOT_FOUND, UNAUTHORISED = http(b"<html/>", "404 Not Found"), http(b"", "401 Unauthorized")


def entry(client: str = str(US), port: int = 30303, lease: int = 600, **others: str) -> dict[str, str]:
    return {
        "NewInternalClient": client,
        "NewInternalPort": str(port),
        "NewPortMappingDescription": f"portmap:{HOST}:x",
        "NewEnabled": "1",
        "NewLeaseDuration": str(lease),
    } | others


def opens(mapper: PortMapper, wan: WanActions, wanted: PortForward = WANTED) -> Grant:
    return mapper.open(wan, wanted, "x", 600)
