"""The backend against the simulated router, through real sockets and the real miniupnpc."""

import subprocess
import sys
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.errors import (
    Conflict,
    GatewayTimeout,
    NATError,
    NoGateway,
    NotAuthorized,
    OutOfResources,
    Refused,
    SpecError,
)
from portmap.model import Grant, Kind, Protocol
from portmap.testing import Heard, Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.control.external_address import parse_external_ip
from portmap_upnp.control.soap_client import PAUSE
from portmap_upnp.discovery.description import Service
from portmap_upnp.discovery.search import Search
from portmap_upnp.gateway_session import ActiveGateway
from portmap_upnp.location import parse_url
from portmap_upnp.mapping.ownership import host_id

if TYPE_CHECKING:
    from tests.upnp.conftest import BackendFor, WebServers

TCP, UDP = Protocol.TCP, Protocol.UDP
PORT = 20404
ALTERNATIVE = 25678  # what conftest's backends draw
SERVICE = "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>{}</controlURL>"


def add(upnp: Upnp, external_port: int = 0, name: str = "node", lifetime: int = 600) -> Grant:
    return upnp.add_mapping(TCP, external_port, PORT, name, lifetime, client=None)


def test_the_kind_is_loop() -> None:
    assert Upnp.kind is Kind.LOOP


@pytest.mark.parametrize(
    "argument", [None, "192.168.1.1", "100.64.0.1", "http://192.168.1.1:5000/rootDesc.xml", "HTTP://127.0.0.1/"]
)
def test_an_argument_is_nothing_or_an_address_or_the_url_of_a_description(argument: str | None) -> None:
    assert isinstance(Upnp.from_argument(argument), Upnp)


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "1.2.3.4",
        "239.255.255.250",
        "192.168.1",
        "foo",
        "http://",
        "http://router.lan/x",
        "https://192.168.1.1/",
        "http://8.8.8.8/x",
    ],
)
def test_any_other_argument_is_refused_with_the_right_form(argument: str) -> None:
    with pytest.raises(SpecError, match=r"write upnp, or upnp:192\.168\.1\.1, or upnp:http://192\.168\.1\.1:5000/r"):
        Upnp.from_argument(argument)


def test_the_gateway_is_named_once_it_is_known(upnp: Upnp) -> None:
    assert str(upnp) == "UPnP"
    upnp.external_ip()
    assert str(upnp) == "UPnP 127.0.0.1 (IGD:1)"


def test_a_given_gateway_is_named_at_once() -> None:
    assert str(Upnp.from_argument("http://192.168.1.1:5000/x")) == "UPnP 192.168.1.1"


def test_the_external_address_is_learnt(router: Router, upnp: Upnp) -> None:
    router.external_ip = "203.0.113.7"
    assert upnp.external_ip() == IPv4Address("203.0.113.7")


def test_the_gateway_is_searched_for_once(router: Router, upnp: Upnp) -> None:
    for _ in range(3):
        upnp.external_ip()
    assert router.heard == Heard(search=router.heard.search, description=1, external_ip=3)


def test_a_given_description_needs_no_search(router: Router) -> None:
    Upnp.from_argument(router.description_url).external_ip()
    assert router.heard == Heard(description=1, external_ip=1)


def test_a_wan_side_that_is_down_is_said(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(no_wan=True)
    with pytest.raises(Refused, match=r"WAN side is down \('Disconnected'\)"):
        upnp.external_ip()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", Refused),
        ("0.0.0.0", Refused),  # noqa: S104  # not bound to
        ("not-an-ip", Refused),
        ("1.2.3", Refused),
        ("1.2.3.4.5", Refused),
        ("::1", Refused),
        ("1.2.3.04", Refused),
    ],
)
def test_an_external_address_that_is_none_is_an_error(text: str, error: type[NATError]) -> None:
    with pytest.raises(error):
        parse_external_ip(text)


def test_an_external_address_with_a_prefix_length_is_one() -> None:
    assert parse_external_ip(" 1.2.3.4/24 ") == IPv4Address("1.2.3.4")


def test_a_private_external_address_is_passed_on_for_core_to_judge(router: Router, upnp: Upnp) -> None:
    router.external_ip = "100.64.0.9"
    assert upnp.external_ip() == IPv4Address("100.64.0.9")


def test_a_port_is_opened_for_us(router: Router, upnp: Upnp) -> None:
    assert add(upnp) == Grant(PORT, 600)
    (entry,) = router.entries
    assert (entry.protocol, entry.external_port, entry.internal_port, entry.lifetime) == (TCP, PORT, PORT, 600)
    assert (entry.internal_client, entry.description) == ("127.0.0.1", f"portmap:{host_id()}:node")


def test_igd_2_is_spoken_too(backend_for: "BackendFor") -> None:
    with Router(pmp=False, igd=2) as router:
        upnp = backend_for(router)
        assert add(upnp) == Grant(PORT, 600)
        assert str(upnp) == "UPnP 127.0.0.1 (IGD:2)"


def test_udp_and_an_external_port_of_ones_choice_are_opened(router: Router, upnp: Upnp) -> None:
    assert upnp.add_mapping(UDP, 20500, PORT, "", 600, client=None) == Grant(20500, 600)
    assert [(it.protocol, it.external_port, it.internal_port) for it in router.entries] == [(UDP, 20500, PORT)]


def test_asked_again_the_mapping_is_renewed_not_doubled(router: Router, upnp: Upnp) -> None:
    assert add(upnp) == add(upnp) == Grant(PORT, 600)
    assert len(router.entries) == 1


def test_a_hostile_name_does_no_harm(router: Router, upnp: Upnp) -> None:
    add(upnp, name="</NewPortMappingDescription><NewRemoteHost>9.9.9.9")
    assert router.entries[0].description == f"portmap:{host_id()}:--NewPortMappingD"


@pytest.mark.parametrize("wanted", [0, PORT])
def test_a_port_that_is_taken_gives_another_one(router: Router, upnp: Upnp, wanted: int) -> None:
    router.quirks = Quirks(conflict=frozenset({PORT}))
    assert add(upnp, wanted) == Grant(ALTERNATIVE, 600)


def test_asked_again_without_a_suggested_port_the_other_port_is_kept(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(conflict=frozenset({PORT}))
    add(upnp)
    router.quirks = Quirks()
    assert add(upnp) == Grant(ALTERNATIVE, 600)
    assert len(router.entries) == 1


def test_no_port_to_be_had_is_a_conflict(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(conflict=frozenset({PORT, ALTERNATIVE}), strict_igd_1=True)
    with pytest.raises(Conflict):
        add(upnp)


def test_where_two_ports_are_taken_the_router_chooses_one(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(conflict=frozenset({PORT, ALTERNATIVE}))
    assert add(upnp).external_port not in (PORT, ALTERNATIVE)
    assert len(router.entries) == 1


@pytest.mark.parametrize("quirks", [Quirks(only_permanent=True), Quirks(permanent_as_402=True)])
def test_a_router_without_lifetimes_grants_for_ever(router: Router, upnp: Upnp, quirks: Quirks) -> None:
    router.quirks = quirks
    assert add(upnp) == Grant(PORT, 0)


def test_a_shorter_lifetime_is_reported(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(caps_lifetime=120)
    assert add(upnp) == Grant(PORT, 120)


def test_a_lifetime_beyond_a_week_asks_for_a_week(router: Router, upnp: Upnp) -> None:
    add(upnp, lifetime=10_000_000)
    assert router.entries[0].lifetime == 604800


@pytest.mark.parametrize(("code", "error"), [(606, NotAuthorized), (728, OutOfResources), (899, Refused)])
def test_a_refusal_is_typed(router: Router, upnp: Upnp, code: int, error: type[Refused]) -> None:
    router.quirks = Quirks(upnp_error=code)
    with pytest.raises(error) as caught:
        add(upnp)
    assert caught.value.code == code


def test_a_refusal_is_no_reason_to_search_again(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(upnp_error=606)
    for _ in range(2):
        with pytest.raises(NotAuthorized):
            add(upnp)
    assert router.heard.description == 1


def test_a_gateway_that_cannot_be_asked_so_fast_is_given_a_breath(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(throttle=0.2)
    assert add(upnp) == Grant(PORT, 600)
    upnp.delete_mapping(TCP, PORT, PORT, client=None)
    assert router.entries == ()


def test_a_gateway_that_fails_for_another_reason_is_given_one_breath_a_talk(router: Router, upnp: Upnp) -> None:
    upnp.external_ip()
    router.quirks = Quirks(upnp_error=501)
    with Stopwatch() as watch, pytest.raises(Refused):
        add(upnp)
    assert watch.seconds < 2 * PAUSE


def test_a_gateway_with_the_old_names_is_spoken_to_in_them(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(legacy_service_types=True)
    assert (str(upnp.external_ip()), add(upnp)) == ("1.2.3.4", Grant(PORT, 600))


def test_where_the_first_gateway_has_no_line_the_second_is_used(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(two_gateways=True)
    for _ in range(2):
        assert str(upnp.external_ip()) == "1.2.3.4"
    assert add(upnp) == Grant(PORT, 600)
    assert len(router.entries) == 1


def test_a_gateway_whose_line_is_up_again_is_passed_over_no_more(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(no_wan=True)
    with pytest.raises(Refused):
        upnp.external_ip()
    assert upnp._session._avoided == parse_url(router.description_url)
    router.quirks = Quirks()
    upnp.external_ip()
    assert upnp._session._avoided is None


def test_a_yes_without_effect_is_seen_through(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(success_without_effect=True)
    with pytest.raises(Refused, match="lists nothing"):
        add(upnp)


@pytest.mark.parametrize(("external", "internal", "lifetime"), [(70000, 1, 1), (-1, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_values_that_cannot_be_send_nothing(
    router: Router, upnp: Upnp, external: int, internal: int, lifetime: int
) -> None:
    with pytest.raises(SpecError):
        upnp.add_mapping(TCP, external, internal, "", lifetime, client=None)
    assert router.heard == Heard()


@pytest.mark.parametrize(("external", "internal"), [(0, 1), (1, 0), (70000, 1), (1, -1)])
def test_ports_that_cannot_be_are_not_deleted(router: Router, upnp: Upnp, external: int, internal: int) -> None:
    with pytest.raises(SpecError):
        upnp.delete_mapping(TCP, external, internal, client=None)
    assert router.heard == Heard()


def test_a_mapping_is_deleted_and_a_second_time_does_no_harm(router: Router, upnp: Upnp) -> None:
    add(upnp)
    for _ in range(2):
        upnp.delete_mapping(TCP, PORT, PORT, client=None)
    assert router.entries == ()
    assert router.heard.delete == 1


def test_another_hosts_mapping_is_not_deleted(router: Router, upnp: Upnp) -> None:
    add(upnp)
    upnp.delete_mapping(TCP, PORT, PORT + 1, client=None)
    assert len(router.entries) == 1


def test_a_mapping_of_an_earlier_life_is_deleted(router: Router, upnp: Upnp, backend_for: "BackendFor") -> None:
    add(upnp)
    backend_for(router).delete_mapping(TCP, PORT, PORT, client=None)
    assert router.entries == ()


def test_a_restarted_router_on_a_new_control_port_is_found_again_within_the_call(router: Router, upnp: Upnp) -> None:
    add(upnp)
    router.reboot(new_control_port=True)
    assert add(upnp) == Grant(PORT, 600)


def test_a_given_router_on_a_new_control_port_is_found_again_at_its_address(router: Router) -> None:
    search = Search(port=router.ssdp_port, timeout=1)
    upnp = Upnp(parse_url(router.description_url), search=search)
    add(upnp)
    router.reboot(new_control_port=True)
    assert add(upnp) == Grant(PORT, 600)


def test_a_given_router_that_never_was_there_is_not_replaced_by_another(router: Router) -> None:
    upnp = Upnp(parse_url("http://127.0.0.1:9/desc.xml"), search=Search(port=router.ssdp_port, timeout=1))
    with pytest.raises(NoGateway):
        upnp.external_ip()
    assert router.heard == Heard()


def test_an_alert_tells_core_that_the_router_was_found_anew(router: Router, upnp: Upnp) -> None:
    alerts: list[str] = []
    close = upnp.watch(alerts.append)
    upnp.external_ip()
    router.reboot(new_control_port=True)
    upnp.external_ip()
    close()
    (alert,) = alerts
    assert alert.startswith(f"{upnp} was gone (127.0.0.1:")
    assert alert.endswith(f"and is found again at port {router.http_port}")


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed", "500 Internal Server Error"])
def test_a_control_url_that_has_gone_is_looked_for_anew_within_the_call(
    upnp: Upnp, serve: "WebServers", status: str
) -> None:
    upnp.external_ip()
    now = upnp._session.active
    assert now
    gone = Service(now.service.service_type, serve.body(b"", status))
    upnp._session._use(ActiveGateway(now.gateway, gone, now.us))
    assert add(upnp) == Grant(PORT, 600)


def test_a_gateway_in_use_is_not_described_again(router: Router, upnp: Upnp) -> None:
    add(upnp)
    upnp.external_ip()
    assert router.heard.description == 1


def test_the_second_failure_in_one_call_is_told_as_the_first(router: Router, upnp: Upnp) -> None:
    add(upnp)
    router.close()
    with pytest.raises(NoGateway, match="cannot be reached"):
        add(upnp)


def test_a_gateway_that_was_not_there_is_found_when_it_is(backend_for: "BackendFor") -> None:
    with Router(pmp=False) as router:
        upnp = backend_for(router, timeout=0.2)
        router.quirks = Quirks(silent=True)
        with pytest.raises(NoGateway):
            upnp.external_ip()
        router.quirks = Quirks()
        assert upnp.external_ip() == IPv4Address(router.external_ip)


def test_an_answer_from_a_host_that_it_does_not_point_to_is_ignored(router: Router, backend_for: "BackendFor") -> None:
    router.quirks = Quirks(wrong_sender=True)
    with pytest.raises(NoGateway):
        backend_for(router, timeout=0.2).external_ip()
    assert router.heard.description == 0


@pytest.mark.parametrize("quirks", [Quirks(garbage=True), Quirks(truncated=True)])
def test_a_router_gone_mad_is_an_error_of_ours(router: Router, quirks: Quirks) -> None:
    upnp = Upnp.from_argument(router.description_url)
    add(upnp)
    router.quirks = quirks
    with pytest.raises(NATError):
        add(upnp)


NAMED = Quirks(location_host="router.lan", absolute_control_url=True), Quirks(location_host="router.lan", url_base=True)


@pytest.mark.parametrize("quirks", NAMED, ids=["absolute", "base"])
def test_a_router_that_calls_itself_by_a_name_in_location_and_description_is_used(
    router: Router, upnp: Upnp, quirks: Quirks
) -> None:
    router.quirks = quirks
    assert upnp.add_mapping(Protocol.TCP, PORT, PORT, "", 600, None) == Grant(PORT, 600)


def test_a_router_gone_silent_is_a_timeout_and_forgotten(router: Router) -> None:
    upnp = Upnp(parse_url(router.description_url), timeout=0.3)
    add(upnp)
    router.quirks = Quirks(silent=True)
    with pytest.raises(GatewayTimeout):
        add(upnp)
    router.quirks = Quirks()
    assert add(upnp) == Grant(PORT, 600)


def test_a_dead_first_connection_gives_way_to_a_live_second(router: Router, serve: "WebServers") -> None:
    live = router.description_url.replace("desc.xml", "ctl/IPConn")
    services = "".join(f"<service>{SERVICE.format(url)}</service>" for url in (serve.body(b"", "500 Error"), live))
    described = serve.body(f"<root><device>{services}</device></root>".encode())
    assert Upnp(described).external_ip() == IPv4Address(router.external_ip)


def test_a_mapping_takes_milliseconds(upnp: Upnp) -> None:
    with Stopwatch() as watch:
        add(upnp)
    assert watch.seconds < 0.5


def test_the_backend_needs_nothing_but_the_standard_library() -> None:
    code = "import sys; sys.modules['miniupnpc'] = None; import portmap_upnp; portmap_upnp.Upnp.from_argument(None)"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    "quirks", [Quirks(slow=0.1), Quirks(slow=0.1, only_permanent=True)], ids=["leases", "permanent"]
)
def test_of_many_entries_at_a_slow_gateway_each_is_deleted_with_one_call(quirks: Quirks) -> None:
    with Router(pmp=False, quirks=quirks) as router:
        upnp = Upnp.from_argument(router.description_url)
        ports = range(27015, 27031)
        for port in ports:
            upnp.add_mapping(Protocol.TCP, port, port, "", 600, client=None)
        looks = router.heard.get
        for port in ports:
            upnp.delete_mapping(Protocol.TCP, port, port, client=None)
        assert router.entries == ()
        assert router.heard.get == looks
