"""`python python_client.py LIBRARY VERB URL`: one step of one of Python's UPnP libraries; its result as JSON.

Run by the Python that has the library: see `clients.txt`. VERB: address, add, read or delete.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

NAMES = {"NewRemoteHost": "", "NewExternalPort": 20080, "NewProtocol": "TCP"}
MAPPING = NAMES | {
    "NewInternalPort": 20081,
    "NewInternalClient": "127.0.0.1",
    "NewEnabled": "1",
    "NewPortMappingDescription": "portmap:web",
    "NewLeaseDuration": 600,
}
STEPS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "address": ("GetExternalIPAddress", {}),
    "add": ("AddPortMapping", MAPPING),
    "add_any": ("AddAnyPortMapping", MAPPING),
    "read": ("GetSpecificPortMappingEntry", NAMES),
    "delete": ("DeletePortMapping", NAMES),
}


def upnpclient(url: str, action: str, arguments: Mapping[str, object]) -> Any:
    """upnpclient reads every service description at once."""
    return import_module("upnpclient").Device(url).WANIPConn1(action, **arguments)


def upnpy(url: str, action: str, arguments: Mapping[str, object]) -> Any:
    """UPnPy begins with the answer to a search."""
    host, _, port = url.split("/")[2].partition(":")
    answer = f"HTTP/1.1 200 OK\r\nLOCATION: {url}\r\nST: upnp:rootdevice\r\n\r\n"
    device = import_module("upnpy.ssdp.SSDPDevice").SSDPDevice((host, int(port)), answer)
    return getattr(device["WANIPConn1"], action)(**arguments)


def async_upnp_client(url: str, action: str, arguments: Mapping[str, object]) -> Any:
    """async-upnp-client is what Home Assistant uses."""
    requester = import_module("async_upnp_client.aiohttp").AiohttpRequester()
    factory = import_module("async_upnp_client.client_factory").UpnpFactory(requester)
    profile = import_module("async_upnp_client.profiles.igd").IgdDevice

    async def call() -> Any:
        device = profile(await factory.async_create_device(url), None)
        typed = {name: True if name == "NewEnabled" else value for name, value in arguments.items()}
        service = next(it for it in device.profile_device.all_services if "WANIPConnection" in it.service_type)
        return await service.action(action).async_call(**typed)

    return asyncio.run(call())


if __name__ == "__main__":
    library, verb, url = sys.argv[1:]
    print(json.dumps(globals()[library](url, *STEPS[verb]), default=str))
