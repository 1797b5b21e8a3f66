"""Records what the library miniupnpc sends for each call, on loopback: `python -m tests.upnp.miniupnpc_recording`.

The recording is `miniupnpc_requests.json`, made with miniupnpc 2.3.3; it is compared with our own requests.
"""

import json
import re
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

RECORDING = Path(__file__).with_name("miniupnpc_requests.json")
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
MAPPING = (30303, "TCP", "192.168.1.5", 30304, "portmap:c0ffee:node", "", 600)
CALLS: dict[str, Callable[[Any], object]] = {
    "GetStatusInfo": lambda library: library.statusinfo(),
    "GetExternalIPAddress": lambda library: library.externalipaddress(),
    "AddPortMapping": lambda library: library.addportmapping(*MAPPING),
    "GetSpecificPortMappingEntry": lambda library: library.getspecificportmapping(30303, "TCP"),
    "GetGenericPortMappingEntry": lambda library: library.getgenericportmapping(7),
    "DeletePortMapping": lambda library: library.deleteportmapping(30303, "TCP"),
}
_DESCRIPTION = (
    '<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device>'
    "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><serviceList><service>"
    f"<serviceType>{SERVICE}</serviceType><controlURL>/ctl/IPConn</controlURL></service></serviceList></device></root>"
)
_VALUES = {
    "NewConnectionStatus": "Connected",
    "NewUptime": "1",
    "NewExternalIPAddress": "203.0.113.7",
    "NewInternalClient": "192.168.1.5",
    "NewInternalPort": "30304",
}
_REPLY = "".join(f"<{name}>{value}</{name}>" for name, value in _VALUES.items())
_ENVELOPE = f"<Envelope><Body><u:XResponse>{_REPLY}</u:XResponse></Body></Envelope>"


class RecordingGateway:
    """A gateway on loopback that says yes to everything; `requests` are the bytes of each POST, `packets` the reads."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.packets: list[int] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with closing(client):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        client.settimeout(2)
        received, reads = b"", 0
        while (end := received.find(b"\r\n\r\n")) < 0 or len(received) < end + 4 + _length(received):
            received += client.recv(65536)
            reads += 1
        if received.startswith(b"POST"):
            self.requests.append(received)
            self.packets.append(reads)
        body = (_DESCRIPTION if received.startswith(b"GET") else _ENVELOPE).encode()
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def _length(received: bytes) -> int:
    found = re.search(rb"(?i)content-length: *(\d+)", received)
    return int(found[1]) if found else 0


def record(library: Any) -> dict[str, str]:
    """What the library sends for each call."""
    with closing(RecordingGateway()) as gateway:
        client = library.UPnP()
        client.selectigd(f"http://127.0.0.1:{gateway.port}/desc.xml")
        for call in CALLS.values():
            call(client)
        return {action: sent.decode("ascii") for action, sent in zip(CALLS, gateway.requests, strict=True)}


if __name__ == "__main__":
    import miniupnpc

    RECORDING.write_text(json.dumps(record(miniupnpc), indent=1) + "\n", encoding="ascii")
