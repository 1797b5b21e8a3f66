"""The simulated router as its LAN meets it: sockets, counters, leases on a clock, reboots."""

import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeAlias

import pytest

from portmap.errors import PortmapError
from portmap.model import Protocol
from portmap.testing import Entry, Heard, Quirks, Router, loopback_address

Ask: TypeAlias = Callable[..., bytes]
Fetch: TypeAlias = Callable[..., tuple[int, str]]
Start: TypeAlias = Callable[..., Router]

ADDRESS = bytes.fromhex("00 00")
SEARCH = b'M-SEARCH * HTTP/1.1\r\nHOST: x\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: upnp:rootdevice\r\n\r\n'
ENVELOPE = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><a/></s:Body></s:Envelope>'


def map_tcp(internal_port: int, external_port: int = 0, lifetime: int = 60) -> bytes:
    return struct.pack("!BBHHHI", 0, 2, 0, internal_port, external_port, lifetime)


def epoch(answer: bytes) -> int:
    return int.from_bytes(answer[4:8], "big")


def action(name: str) -> dict[str, str]:
    return {"SOAPAction": f'"urn:schemas-upnp-org:service:WANIPConnection:1#{name}"'}


def refuses(address: str, port: int) -> bool:
    with closing(socket.socket()) as sock:
        return sock.connect_ex((address, port)) != 0


def test_natpmp_is_answered(router: Router, ask: Ask) -> None:
    assert ask(router.pmp_port, ADDRESS).hex() == "008000000000000001020304"


def test_a_search_leads_to_the_description(router: Router, ask: Ask, fetch: Fetch) -> None:
    assert f"LOCATION: {router.description_url}\r\n".encode() in ask(router.ssdp_port, SEARCH)
    assert fetch("GET", "/desc.xml")[0] == 200


def test_a_call_is_answered(fetch: Fetch) -> None:
    status, text = fetch("POST", "/ctl/IPConn", ENVELOPE, **action("GetExternalIPAddress"))
    assert (status, "<NewExternalIPAddress>1.2.3.4<" in text) == (200, True)


def test_an_unknown_action_is_a_fault(fetch: Fetch) -> None:
    status, text = fetch("POST", "/ctl/IPConn", ENVELOPE, **action("MakeCoffee"))
    assert (status, "<errorCode>401<" in text) == (500, True)


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/ctl/IPConn"), ("POST", "/desc.xml")])
def test_what_is_not_there_is_404(fetch: Fetch, method: str, path: str) -> None:
    assert fetch(method, path)[0] == 404


def test_all_that_is_heard_is_one_value(router: Router, ask: Ask, fetch: Fetch) -> None:
    for data in (ADDRESS, map_tcp(20001), map_tcp(20001, lifetime=0), b"\0\x05"):
        ask(router.pmp_port, data)
    ask(router.ssdp_port, SEARCH)
    fetch("GET", "/desc.xml")
    fetch("POST", "/ctl/IPConn", ENVELOPE, **action("GetStatusInfo"))
    assert router.heard == Heard(address=1, map=1, unmap=1, search=1, description=1, status=1, unknown=1)


def test_a_granted_mapping_is_an_entry(router: Router, ask: Ask) -> None:
    ask(router.pmp_port, map_tcp(20001, 20002))
    assert router.entries == (Entry(Protocol.TCP, 20002, "127.0.0.1", 20001, 60, "NAT-PMP"),)


def test_a_lease_ends_on_the_routers_clock(router: Router, ask: Ask, clock: Any) -> None:
    ask(router.pmp_port, map_tcp(20001, lifetime=60))
    clock.now += 60
    assert router.entries == ()


def test_the_epoch_runs_on_the_routers_clock(router: Router, ask: Ask, clock: Any) -> None:
    clock.now += 3600
    assert epoch(ask(router.pmp_port, ADDRESS)) == 3600


def test_a_router_may_have_been_up_for_long(start: Start, sock: socket.socket) -> None:
    router = start(uptime=3600)
    sock.sendto(ADDRESS, (router.address, router.pmp_port))
    assert epoch(sock.recv(16)) == 3600


def test_the_external_address_can_change(router: Router, ask: Ask) -> None:
    router.external_ip = "203.0.113.9"
    assert ask(router.pmp_port, ADDRESS)[8:] == bytes((203, 0, 113, 9))


def test_the_quirks_can_change(router: Router, ask: Ask) -> None:
    router.quirks = Quirks(pmp_result=4)
    assert ask(router.pmp_port, map_tcp(20001))[3] == 4


def test_a_reboot_forgets_every_mapping(router: Router, ask: Ask) -> None:
    ask(router.pmp_port, map_tcp(20001))
    router.reboot()
    assert router.entries == ()


def test_a_reboot_begins_a_new_epoch(router: Router, ask: Ask, clock: Any) -> None:
    clock.now += 3600
    router.reboot()
    assert epoch(ask(router.pmp_port, ADDRESS)) == 0


def test_a_reboot_is_told_in_the_search_answer(router: Router, ask: Ask) -> None:
    router.reboot()
    assert b"BOOTID.UPNP.ORG: 1\r\n" in ask(router.ssdp_port, SEARCH)


def test_a_reboot_keeps_the_control_port(router: Router, fetch: Fetch) -> None:
    before = router.description_url
    router.reboot()
    assert router.description_url == before
    assert fetch("GET", "/desc.xml")[0] == 200


def test_a_reboot_can_move_the_control_port(router: Router, fetch: Fetch) -> None:
    before = router.http_port
    router.reboot(new_control_port=True)
    assert refuses(router.address, before)
    assert fetch("GET", "/desc.xml")[0] == 200


def test_a_rebooting_router_hears_nothing(router: Router, ask: Ask) -> None:
    router.reboot(downtime=60)
    with pytest.raises(TimeoutError):
        ask(router.pmp_port, ADDRESS, timeout=0.02)
    assert router.heard == Heard()


def test_a_rebooted_router_answers_again(router: Router, ask: Ask) -> None:
    router.reboot(downtime=0.02)
    time.sleep(0.05)
    assert ask(router.pmp_port, ADDRESS)


def test_a_half_sent_request_delays_no_other_request(router: Router, fetch: Fetch) -> None:
    with closing(socket.create_connection((router.address, router.http_port))) as stuck:
        stuck.send(b"GET /desc")
        assert fetch("GET", "/desc.xml")[0] == 200


def test_a_bad_request_is_told_so(router: Router) -> None:
    with closing(socket.create_connection((router.address, router.http_port), timeout=2)) as sock:
        sock.send(b"nonsense\r\n\r\n")
        assert sock.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_a_protocol_that_is_switched_off_is_not_there(start: Start) -> None:
    router = start(upnp=False, http_port=0)
    assert router.http_port == 0


def test_natpmp_can_be_switched_off(start: Start) -> None:
    router = start(pmp=False)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.connect((router.address, router.pmp_port))
        sock.settimeout(2)
        sock.send(ADDRESS)
        with pytest.raises(ConnectionRefusedError):
            sock.recv(16)


def test_two_routers_do_not_disturb_each_other(start: Start) -> None:
    one, other = start(), start()
    assert (one.address, one.outside) != (other.address, other.outside)


def test_a_port_that_is_taken_is_a_portmap_error(router: Router) -> None:
    with pytest.raises(PortmapError, match=f"cannot listen on {router.address} port {router.pmp_port}"):
        Router(router.address, pmp_port=router.pmp_port).start()


def test_a_port_that_cannot_be_is_a_portmap_error() -> None:
    with pytest.raises(PortmapError, match="port 70000"):
        Router(loopback_address(), pmp_port=70000).start()


def test_closing_ends_the_thread_and_frees_the_ports() -> None:
    with Router(loopback_address()) as router:
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == f"router {router.address}"]
    assert refuses(router.address, router.http_port)


def test_a_router_that_was_never_started_holds_nothing_open() -> None:
    router = Router(loopback_address())
    assert router.entries == ()


def test_what_was_heard_can_be_read_after_closing(start: Start) -> None:
    with Router(loopback_address(), pmp_port=0) as router:
        pass
    router.close()
    assert (router.heard, router.entries) == (Heard(), ())


def test_multicast_searches_are_heard_on_the_fixed_port(start: Start) -> None:
    router = start(ssdp_port=1900)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(router.address))
        sock.settimeout(2)
        sock.sendto(SEARCH, ("239.255.255.250", 1900))
        assert sock.recvfrom(2048)[1] == (router.address, 1900)


def test_the_package_needs_neither_pytest_nor_the_command_line() -> None:
    code = "import sys, portmap.testing; sys.exit(bool({'pytest', 'typer', 'natpmp', 'miniupnpc'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
