"""The simulated router's IPv6 pinholes: UPnP, and the wire."""

import socket
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv6Address
from urllib.request import urlopen

import pytest
from tests.simulator.conftest import Start
from tests.simulator.pinhole_requests import NEIGHBOUR, NONCE, NOW, REQUEST, US, opened, request, state

from portmap.errors import PortmapError
from portmap.model import Protocol
from portmap.simulator.pcp.packets import ANSWER, Op, PcpResult
from portmap.simulator.pinhole_table import Pinhole
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.action_call import ActionCall, Results
from portmap.simulator.upnp.firewall_control import action_of
from portmap.simulator.upnp.soap import Fault, SoapCall
from portmap.testing import Heard, Quirks, Router

SERVICE = "urn:schemas-upnp-org:service:WANIPv6FirewallControl:1"
HOLE = {
    "RemoteHost": "",
    "RemotePort": "0",
    "InternalClient": US,
    "InternalPort": "8080",
    "Protocol": "6",
    "LeaseTime": "600",
}


# UPnP.


def call(
    to: RouterState, action: str, arguments: dict[str, str] | None = None, client: str = US, now: float = NOW
) -> Results | int:
    """The results, or the errorCode."""
    asked = SoapCall(SERVICE, action, arguments or {})
    found = action_of(asked)
    assert found
    try:
        return found.do(ActionCall(asked, client, to, now))
    except Fault as fault:
        return fault.code


def test_the_firewall_tells_its_status() -> None:
    assert call(state(), "GetFirewallStatus") == {"FirewallEnabled": "1", "InboundPinholeAllowed": "1"}
    off, forbidden = state(Quirks(firewall_off=True)), state(Quirks(pinholes_forbidden=True))
    assert call(off, "GetFirewallStatus") == {"FirewallEnabled": "0", "InboundPinholeAllowed": "1"}
    assert call(forbidden, "GetFirewallStatus") == {"FirewallEnabled": "1", "InboundPinholeAllowed": "0"}


def test_add_opens_a_pinhole_and_again_renews_it_under_the_same_id() -> None:
    router = state()
    assert call(router, "AddPinhole", HOLE) == {"UniqueID": "1"}
    assert call(router, "AddPinhole", HOLE | {"Protocol": "17"}) == {"UniqueID": "2"}
    assert call(router, "AddPinhole", HOLE | {"LeaseTime": "900"}) == {"UniqueID": "1"}
    assert opened(router) == [("TCP", US, 8080, 900), ("UDP", US, 8080, 600)]


def test_update_extends_and_delete_shuts() -> None:
    router = state()
    call(router, "AddPinhole", HOLE)
    assert call(router, "UpdatePinhole", {"UniqueID": "1", "NewLeaseTime": "900"}, now=NOW + 500) == {}
    assert opened(router, NOW + 1300) == [("TCP", US, 8080, 900)]
    assert call(router, "CheckPinholeWorking", {"UniqueID": "1"}) == 709
    assert call(router, "DeletePinhole", {"UniqueID": "1"}) == {}
    assert opened(router) == []


@pytest.mark.parametrize("action", ["UpdatePinhole", "DeletePinhole", "CheckPinholeWorking"])
def test_an_id_that_is_not_there_or_another_hosts_is_refused(action: str) -> None:
    router = state()
    call(router, "AddPinhole", HOLE)
    assert call(router, action, {"UniqueID": "2", "NewLeaseTime": "60"}) == 704
    assert call(router, action, {"UniqueID": "1", "NewLeaseTime": "60"}, NEIGHBOUR) == 606


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"InternalClient": NEIGHBOUR}, 606),
        ({"InternalClient": "*"}, 708),
        ({"InternalClient": "192.168.77.2"}, 402),
        ({"InternalPort": "0"}, 706),
        ({"InternalPort": "x"}, 402),
        ({"Protocol": "65535"}, 707),
        ({"Protocol": "1"}, 705),
        ({"LeaseTime": "0"}, 402),
        ({"LeaseTime": "86401"}, 402),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(change: dict[str, str], code: int) -> None:
    assert call(state(), "AddPinhole", HOLE | change) == code


@pytest.mark.parametrize(
    ("quirks", "code"),
    [
        (Quirks(firewall_off=True), 702),
        (Quirks(pinholes_forbidden=True), 703),
        (Quirks(full_table=True), 701),
        (Quirks(upnp_error=-911), -911),
    ],
)
def test_a_router_refuses_with_the_standards_codes(quirks: Quirks, code: int) -> None:
    assert call(state(quirks), "AddPinhole", HOLE) == code


def test_another_service_knows_none_of_it() -> None:
    assert action_of(SoapCall("urn:schemas-upnp-org:service:WANIPConnection:1", "AddPinhole")) is None


# The wire.


@pytest.fixture
def six(start: Start) -> Router:
    return start(ipv6=True)


def say(router: Router, data: bytes) -> bytes:
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(2)
        sock.connect(("::1", router.pcp6_port))
        sock.send(data)
        return sock.recv(1100)


def test_pcp_is_spoken_at_ipv6_loopback_and_heard_apart(six: Router) -> None:
    answered = say(six, request(replace(REQUEST, client=IPv6Address("::1"))))
    assert (answered[1], answered[3]) == (ANSWER | Op.MAP, PcpResult.SUCCESS)
    assert six.pinholes == (Pinhole(Protocol.TCP, "::1", 8080, 600, NONCE.hex(), unique_id=1),)
    assert (six.heard, six.entries) == (Heard(pcp6_map=1), ())


def test_nat_pmp_has_no_place_there(six: Router) -> None:
    assert say(six, b"\0\0")[:4] == bytes([2, ANSWER, 0, PcpResult.UNSUPP_VERSION])


def test_a_reboot_forgets_the_pinholes(six: Router) -> None:
    say(six, request(replace(REQUEST, client=IPv6Address("::1"))))
    six.reboot()
    assert six.pinholes == ()


def test_a_silent_router_is_silent_at_ipv6_loopback_too(start: Start) -> None:
    router = start(ipv6=True, quirks=Quirks(silent=True))
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(0.05)
        sock.sendto(request(REQUEST), ("::1", router.pcp6_port))
        with pytest.raises(TimeoutError):
            sock.recv(1100)


def test_the_wrong_sender_is_another_port_where_there_is_one_address_only(start: Start) -> None:
    router = start(ipv6=True, quirks=Quirks(wrong_sender=True))
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(2)
        sock.sendto(request(REQUEST), ("::1", router.pcp6_port))
        assert sock.recvfrom(1100)[1][1] != router.pcp6_port


def test_announcements_reach_ipv6_loopback_as_pcp_only(start: Start) -> None:
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
        sock.bind(("::1", 0))
        sock.settimeout(2)
        start(ipv6=True, announce=(("::1", sock.getsockname()[1]),))
        assert sock.recv(1100)[:2] == bytes([2, ANSWER | Op.ANNOUNCE])


def test_announcements_leave_no_ipv6_host() -> None:
    with pytest.raises(PortmapError, match="ff02::1"):
        Router(ipv6=True, announce=(("ff02::1", 5350),))


def test_the_description_is_the_same_by_ipv6_and_has_the_service(six: Router) -> None:
    pages = [urlopen(url, timeout=2).read() for url in (six.description_url, six.description_url6)]  # noqa: S310
    assert pages[0] == pages[1]
    assert SERVICE.encode() in pages[0]
    assert six.description_url6.startswith("http://[::1]:")


@pytest.mark.parametrize("quirks", [{}, {"quirks": Quirks(no_pinholes=True), "ipv6": True}])
def test_without_pinholes_the_service_is_not_there(start: Start, quirks: dict[str, Quirks]) -> None:
    router = start(**quirks)
    with urlopen(router.description_url, timeout=2) as page:  # noqa: S310  # the router's own
        assert b"WANIPv6FirewallControl" not in page.read()


def test_a_search_at_ipv6_loopback_leads_there(six: Router) -> None:
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(2)
        search = f'M-SEARCH * HTTP/1.1\r\nHOST: x\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: {SERVICE}\r\n\r\n'
        sock.sendto(search.encode(), ("::1", six.ssdp6_port))
        assert f"LOCATION: {six.description_url6}\r\n" in sock.recv(4096).decode()
