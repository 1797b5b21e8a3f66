"""The gateway in use: searched for once, kept while it answers, found again where it moved or was away."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.upnp.one_mapping import PORT, add

from portmap.errors import GatewayTimeout, NATError, NoGateway, NotAuthorized
from portmap.model import Grant
from portmap.testing import Heard, Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.discovery.description import Service
from portmap_upnp.discovery.search import Search
from portmap_upnp.gateway_session import ActiveGateway
from portmap_upnp.location import parse_url

if TYPE_CHECKING:
    from tests.upnp.conftest import BackendFor, WebServers


def test_the_gateway_is_named_once_it_is_known(upnp: Upnp) -> None:
    assert str(upnp) == "UPnP"
    upnp.external_ip()
    assert str(upnp) == "UPnP 127.0.0.1 (IGD:1)"


def test_the_gateway_is_searched_for_once(router: Router, upnp: Upnp) -> None:
    for _ in range(3):
        upnp.external_ip()
    assert router.heard == Heard(search=router.heard.search, description=1, external_ip=3)


def test_a_given_description_needs_no_search(router: Router) -> None:
    Upnp.from_argument(router.description_url).external_ip()
    assert router.heard == Heard(description=1, external_ip=1)


def test_a_refusal_is_no_reason_to_search_again(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(upnp_error=606)
    for _ in range(2):
        with pytest.raises(NotAuthorized):
            add(upnp)
    assert router.heard.description == 1


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


def test_a_router_gone_silent_is_a_timeout_and_forgotten(router: Router) -> None:
    upnp = Upnp(parse_url(router.description_url), timeout=0.3)
    add(upnp)
    router.quirks = Quirks(silent=True)
    with pytest.raises(GatewayTimeout):
        add(upnp)
    router.quirks = Quirks()
    assert add(upnp) == Grant(PORT, 600)
