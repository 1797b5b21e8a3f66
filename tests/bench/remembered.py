"""UPnP with a remembered gateway: the first mapping of our backend beside a bare http.client's.

Both do the same SOAP calls at the same daemon, each on a new connection as a new process would: status, address, who
has the port, add, read back. Ours is given only the hint of an earlier life: it fetches and vets the description as
well, carries each call through miniupnpc and its gatekeeper, and starts the search that a stale hint would need.
"""

import itertools
import time
from collections.abc import Callable
from http.client import HTTPConnection

from tests.bench.results import Bar, Table, interleaved
from tests.lab.lab import HOST, Lab

from portmap.model import Protocol
from portmap_upnp import Upnp
from portmap_upnp.discovery.description import Service
from portmap_upnp.discovery.discover import fetch_device
from portmap_upnp.location import parse_url

ROUNDS = 50
OURS, BARE = "portmap upnp, remembered", "bare http.client"
_ENVELOPE = (
    '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
    's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
    '<u:{action} xmlns:u="{kind}">{values}</u:{action}></s:Body></s:Envelope>'
)


def measure(lab: Lab) -> Table:
    """Both on a thread inside the LAN host's namespace."""
    ports = itertools.count(40000)
    url = lab.router.description_url
    service = lab.lan.inside(lambda: fetch_device(parse_url(url)).services[0])

    def ours(port: int) -> None:
        backend = Upnp.from_argument(None)
        backend.take_hint(url)
        backend.external_ip()
        backend.add_mapping(Protocol.TCP, port, port, "bench", 600, client=None)

    def bare(port: int) -> None:
        wanted = {"NewRemoteHost": "", "NewExternalPort": port, "NewProtocol": "TCP"}
        entry = {"NewInternalPort": port, "NewInternalClient": HOST, "NewEnabled": 1}
        _call(service, "GetStatusInfo", {})
        _call(service, "GetExternalIPAddress", {})
        _call(service, "GetSpecificPortMappingEntry", wanted)
        more = {"NewPortMappingDescription": "bench", "NewLeaseDuration": 600}
        _call(service, "AddPortMapping", wanted | entry | more)
        _call(service, "GetSpecificPortMappingEntry", wanted)

    def timed(work: Callable[[int], None], port: int) -> float:
        begun = time.perf_counter()
        work(port)
        took = (time.perf_counter() - begun) * 1e3
        _call(service, "DeletePortMapping", {"NewRemoteHost": "", "NewExternalPort": port, "NewProtocol": "TCP"})
        return took

    contestants = {OURS: lambda: timed(ours, next(ports)), BARE: lambda: timed(bare, next(ports))}
    samples = lab.lan.inside(lambda: interleaved(contestants, ROUNDS))
    bar = Bar("at most 2 x the bare HTTP exchange", lambda m: m[OURS] <= 2 * m[BARE])
    return Table("First mapping over UPnP with a remembered gateway, in-process", "ms", samples, BARE, [bar])


def _call(service: Service, action: str, values: dict[str, object]) -> bytes:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    body = _ENVELOPE.format(action=action, kind=service.service_type, values=inner)
    headers = {"Content-Type": 'text/xml; charset="utf-8"', "SOAPAction": f'"{service.service_type}#{action}"'}
    connection = HTTPConnection(str(service.control.host), service.control.port, timeout=5)
    try:
        connection.request("POST", service.control.path, body.encode(), {**headers, "Connection": "close"})
        return connection.getresponse().read()
    finally:
        connection.close()
