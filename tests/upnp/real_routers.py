"""Answers of routers, real and scripted, that the tests share."""

from ipaddress import IPv4Address
from typing import Any

from tests.upnp.canned import http

from portmap.model import Grant, Protocol
from portmap_upnp.control.wan_connection import WanActions
from portmap_upnp.mapping.port_forward import PortForward
from portmap_upnp.mapping.port_mapper import PortMapper

US = IPv4Address("192.168.1.5")
HOST = "c0ffee"
MARK = f"portmap:{HOST}:x"
WANTED = PortForward(Protocol.TCP, 30303, US, 30303)
ANYWHERE = WANTED._replace(external_port=0)
ADD, GET, DELETE = "AddPortMapping", "GetSpecificPortMappingEntry", "DeletePortMapping"
ANY, LIST = "AddAnyPortMapping", "GetGenericPortMappingEntry"
YES: dict[str, str] = {}
NOT_FOUND, UNAUTHORISED = http(b"<html/>", "404 Not Found"), http(b"", "401 Unauthorized")


def entry(
    client: str = str(US),
    port: int = 30303,
    description: str = MARK,
    lease: int = 600,
    enabled: str = "1",
    **others: str,
) -> dict[str, str]:
    return {
        "NewInternalClient": client,
        "NewInternalPort": str(port),
        "NewPortMappingDescription": description,
        "NewEnabled": enabled,
        "NewLeaseDuration": str(lease),
    } | others


THEIRS = entry("192.168.1.6")


def opens(mapper: PortMapper, wan: WanActions, wanted: PortForward = WANTED) -> Grant:
    return mapper.open(wan, wanted, "x", 600)


def closes(mapper: PortMapper, wan: WanActions) -> None:
    mapper.close(wan, WANTED)


def row(external_port: int = 30303, **others: Any) -> dict[str, str]:
    return {"NewExternalPort": str(external_port), "NewProtocol": "TCP", "NewRemoteHost": ""} | entry(**others)
