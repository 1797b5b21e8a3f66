"""Clients that we did not write find the simulated router a faithful peer."""

import importlib
import re
import shutil
import subprocess
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from portmap.model import Protocol
from portmap.simulator.natpmp import OPCODE
from portmap.testing import Entry, Heard, Quirks, Router

Start: TypeAlias = Callable[..., Router]
TCP_WEB = Entry(Protocol.TCP, 20080, "127.0.0.1", 20081, 600, "portmap:web")


def run(*command: str) -> str:
    """What the command prints; skips where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"needs {command[0]} (Debian packages miniupnpc and natpmpc)")
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout


# miniupnpc, the Python module.


@pytest.fixture
def igd() -> Callable[[Router], Any]:
    """The module's view of a router, as our plugin gets it: description URL in, no search."""
    miniupnpc = pytest.importorskip("miniupnpc", reason="miniupnpc has no wheel for this Python")

    def select(router: Router) -> Any:
        client = miniupnpc.UPnP()
        assert client.selectigd(router.description_url).endswith("/ctl/IPConn")
        return client

    return select


@pytest.mark.parametrize("version", [1, 2])
def test_miniupnpc_learns_status_and_address(start: Start, igd: Callable[[Router], Any], version: int) -> None:
    client = igd(start(igd=version, external_ip="203.0.113.7"))
    assert client.statusinfo() == ("Connected", 0, "ERROR_NONE")
    assert client.connectiontype() == "IP_Routed"
    assert client.externalipaddress() == "203.0.113.7"


@pytest.mark.parametrize("version", [1, 2])
def test_miniupnpc_maps_reads_back_and_deletes(start: Start, igd: Callable[[Router], Any], version: int) -> None:
    router = start(igd=version)
    client = igd(router)
    assert client.addportmapping(20080, "TCP", "127.0.0.1", 20081, "portmap:web", "", 600)
    assert router.entries == (TCP_WEB,)
    assert client.getspecificportmapping(20080, "TCP") == ("127.0.0.1", 20081, "portmap:web", True, 600)
    assert client.deleteportmapping(20080, "TCP")
    assert not router.entries


def test_miniupnpc_lists_to_the_end(router: Router, igd: Callable[[Router], Any]) -> None:
    client = igd(router)
    client.addportmapping(20080, "TCP", "127.0.0.1", 20081, "portmap:web", "", 600)
    assert client.getgenericportmapping(0)[:3] == (20080, "TCP", ("127.0.0.1", 20081))
    assert client.getgenericportmapping(1) is None


def test_miniupnpc_adds_anywhere_on_igd_2(start: Start, igd: Callable[[Router], Any]) -> None:
    client = igd(start(igd=2, quirks=Quirks(other_port=True)))
    assert client.addanyportmapping(20080, "TCP", "127.0.0.1", 20081, "portmap:web", "") == 21080


@pytest.mark.parametrize(
    ("code", "text"),
    [(718, "ConflictInMappingEntry"), (725, "OnlyPermanentLeasesSupported"), (606, "Action not authorized")],
)
def test_miniupnpc_understands_a_refusal(start: Start, igd: Callable[[Router], Any], code: int, text: str) -> None:
    client = igd(start(quirks=Quirks(upnp_error=code)))
    with pytest.raises(Exception, match=f"^{text}$"):
        client.addportmapping(20080, "TCP", "127.0.0.1", 20081, "portmap:web", "", 600)


def test_miniupnpc_is_counted(router: Router, igd: Callable[[Router], Any]) -> None:
    igd(router).externalipaddress()
    assert router.heard == Heard(description=1, external_ip=1)


# py-natpmp, the Python package. It leaves its sockets to the garbage collector.


@pytest.fixture
def natpmp() -> Any:
    """The package; its first import warns of its own source from Python 3.12 on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("natpmp")


py_natpmp = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@py_natpmp
def test_py_natpmp_learns_the_address(router: Router, natpmp: Any) -> None:
    assert natpmp.get_public_address(gateway_ip=router.address) == "1.2.3.4"


@py_natpmp
@pytest.mark.parametrize("protocol", list(Protocol))
def test_py_natpmp_maps_and_deletes(router: Router, natpmp: Any, protocol: Protocol) -> None:
    opcode = OPCODE[protocol]
    answer = natpmp.map_port(opcode, 20080, 20081, 600, gateway_ip=router.address)
    assert (answer.private_port, answer.public_port, answer.lifetime) == (20081, 20080, 600)
    assert router.entries == (Entry(protocol, 20080, "127.0.0.1", 20081, 600, "NAT-PMP"),)
    natpmp.map_port(opcode, 0, 20081, 0, gateway_ip=router.address)
    assert not router.entries


@py_natpmp
def test_py_natpmp_understands_a_refusal(start: Start, natpmp: Any) -> None:
    router = start(quirks=Quirks(pmp_result=2))
    with pytest.raises(natpmp.NATPMPResultError, match="refused"):
        natpmp.map_port(OPCODE[Protocol.TCP], 20080, 20081, 600, gateway_ip=router.address)


# natpmpc and upnpc, the commands of libnatpmp and miniupnpc.


def test_natpmpc_learns_the_address(router: Router) -> None:
    assert "Public IP address : 1.2.3.4\n" in run("natpmpc", "-g", router.address)


def test_natpmpc_maps_and_deletes(router: Router) -> None:
    text = run("natpmpc", "-g", router.address, "-a", "20080", "20081", "tcp", "600")
    assert "Mapped public port 20080 protocol TCP to local port 20081 liftime 600\n" in text
    assert router.entries == (Entry(Protocol.TCP, 20080, "127.0.0.1", 20081, 600, "NAT-PMP"),)
    run("natpmpc", "-g", router.address, "-a", "0", "20081", "tcp", "0")
    assert not router.entries


def test_natpmpc_understands_a_refusal(start: Start) -> None:
    router = start(quirks=Quirks(pmp_result=2))
    text = run("natpmpc", "-g", router.address, "-a", "20080", "20081", "tcp", "600")
    assert "Mapped" not in text


def test_natpmpc_survives_loss(start: Start) -> None:
    router = start(quirks=Quirks(lost_first=1))
    assert "Public IP address : 1.2.3.4\n" in run("natpmpc", "-g", router.address)


@pytest.mark.parametrize("version", [1, 2])
def test_upnpc_finds_a_valid_gateway(start: Start, version: int) -> None:
    router = start(igd=version, external_ip="8.8.4.4")
    text = run("upnpc", "-u", router.description_url, "-s")
    assert f"Found valid IGD : http://{router.address}:{router.http_port}/ctl/IPConn" in text
    assert "Status : Connected, uptime=0s" in text
    assert "ExternalIPAddress = 8.8.4.4" in text


def test_upnpc_maps_lists_and_deletes(start: Start) -> None:
    router = start(external_ip="8.8.4.4")
    command = "upnpc", "-u", router.description_url
    run(*command, "-e", "portmap:web", "-a", "127.0.0.1", "20081", "20080", "TCP", "600")
    assert router.entries == (TCP_WEB,)
    assert re.search(r"0 TCP +20080->127\.0\.0\.1:20081 +'portmap:web' '' 600", run(*command, "-l"))
    assert "UPNP_DeletePortMapping() returned : 0" in run(*command, "-d", "20080", "TCP")
    assert not router.entries


def test_upnpc_maps_anywhere_on_igd_2(start: Start) -> None:
    router = start(igd=2, quirks=Quirks(conflict=frozenset({20080})))
    run("upnpc", "-u", router.description_url, "-n", "127.0.0.1", "20081", "20080", "UDP", "600")
    assert [(entry.protocol, entry.external_port) for entry in router.entries] == [(Protocol.UDP, 20081)]


def test_upnpc_understands_a_conflict(start: Start) -> None:
    router = start(quirks=Quirks(conflict=frozenset({20080})))
    run("upnpc", "-u", router.description_url, "-a", "127.0.0.1", "20081", "20080", "TCP", "600")
    assert router.heard.add == 1
    assert not router.entries
