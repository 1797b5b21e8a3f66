"""IPv6 pinholes by UPnP: the backend against the simulated router at ::1, honest and not."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv6Address
from typing import Any, TypeAlias

import pytest

from portmap.errors import Garbled, GatewayTimeout, NoGateway, NotAuthorized, OutOfResources, Refused, SpecError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import validate_hooks
from portmap.model import Grant, Protocol
from portmap.testing import Heard, Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.discovery.search import SEND_TIMES6, Search
from portmap_upnp.location import parse_url
from portmap_upnp.pinhole_backend import UpnpPinholes

US = IPv6Address("::1")
Start: TypeAlias = Callable[..., tuple[Router, UpnpPinholes]]


def backend_for(router: Router, timeout: float = 2.0, **options: Any) -> UpnpPinholes:
    search = Search(lambda: [US], multicast=None, port=router.ssdp6_port, send_times=SEND_TIMES6, timeout=0.5)
    return UpnpPinholes(search=search, here=lambda: US, timeout=timeout, **options)


@pytest.fixture
def start() -> Iterator[Start]:
    """A router with these quirks, and a backend that searches there."""
    with ExitStack() as stack:

        def both(timeout: float = 2.0, **quirks: Any) -> tuple[Router, UpnpPinholes]:
            router = stack.enter_context(Router(pmp=False, ipv6=True, quirks=Quirks(**quirks)))
            return router, backend_for(router, timeout)

        yield both


def opened(router: Router) -> list[tuple[str, int, int]]:
    return [(it.protocol, it.port, it.lifetime) for it in router.pinholes]


def test_it_has_the_hooks_of_a_backend() -> None:
    validate_hooks(UpnpPinholes.from_argument(None), BACKENDS, "UpnpPinholes")


def test_the_address_is_our_own_once_the_firewall_has_said_that_it_opens(start: Start) -> None:
    router, backend = start()
    assert backend.external_ip() == US
    assert (router.heard.description, router.heard.pinhole_status, router.heard.pinhole_add) == (1, 1, 0)
    assert str(backend) == "UPnP IPv6 firewall ::1"


def test_a_pinhole_is_opened_renewed_and_shut(start: Start) -> None:
    router, backend = start()
    assert backend.add_mapping(Protocol.TCP, 0, 4001, 600) == Grant(4001, 600, US)
    assert backend.add_mapping(Protocol.TCP, 4001, 4001, 900) == Grant(4001, 900, US)
    backend.add_mapping(Protocol.UDP, 4001, 4001, 600)
    assert opened(router) == [("TCP", 4001, 900), ("UDP", 4001, 600)]
    backend.delete_mapping(Protocol.TCP, 4001, 4001)
    assert opened(router) == [("UDP", 4001, 600)]


def test_the_external_port_is_the_internal_one_whatever_is_asked_for(start: Start) -> None:
    _, backend = start()
    assert backend.add_mapping(Protocol.TCP, 80, 4001, 600).external_port == 4001


def test_a_lease_is_a_day_at_most(start: Start) -> None:
    router, backend = start()
    assert backend.add_mapping(Protocol.TCP, 0, 4001, 604800).lifetime == 86400
    assert opened(router) == [("TCP", 4001, 86400)]


def test_what_is_known_is_not_looked_for_again(start: Start) -> None:
    router, backend = start()
    for _ in range(3):
        backend.external_ip()
    assert (router.heard.description, router.heard.pinhole_status) == (1, 3)


def test_deleting_what_is_not_there_is_a_success_and_leaves_nothing(start: Start) -> None:
    router, backend = start()
    backend.delete_mapping(Protocol.TCP, 4001, 4001)
    assert router.pinholes == ()


def test_after_a_restart_of_the_router_no_number_of_old_is_used(start: Start) -> None:
    router, backend = start()
    backend.add_mapping(Protocol.TCP, 0, 4001, 600)
    router.reboot()
    backend.add_mapping(Protocol.UDP, 0, 4002, 600)  # gets the number that TCP 4001 had
    backend.delete_mapping(Protocol.TCP, 4001, 4001)
    assert opened(router) == [("UDP", 4002, 600)]


def test_another_life_of_ours_shuts_what_the_first_has_opened(start: Start) -> None:
    router, backend = start()
    backend.add_mapping(Protocol.TCP, 0, 4001, 600)
    backend_for(router).delete_mapping(Protocol.TCP, 4001, 4001)
    assert router.pinholes == ()


def test_a_gateway_whose_talk_ends_is_looked_for_again_within_the_call(start: Start) -> None:
    router, backend = start()
    backend.external_ip()
    router.quirks = Quirks(redirect=True)
    with pytest.raises(NoGateway, match="307"):
        backend.external_ip()
    router.quirks = Quirks()
    assert backend.external_ip() == US
    assert router.heard.description == 3


def test_without_a_global_address_nothing_is_sent(start: Start) -> None:
    router, _ = start()
    backend = UpnpPinholes(parse_url(router.description_url6), here=lambda: None)
    with pytest.raises(NoGateway, match="no global IPv6 address"):
        backend.external_ip()
    assert router.heard == Heard()


@pytest.mark.parametrize(
    ("quirk", "error", "words"),
    [
        ("firewall_off", Refused, "reachable as it is"),
        ("pinholes_forbidden", NotAuthorized, "allow them in its settings"),
        ("upnp_off", Refused, "UPnP 501"),
    ],
)
def test_the_address_is_refused_with_the_next_step(start: Start, quirk: str, error: type[Refused], words: str) -> None:
    _, backend = start(**{quirk: True})
    with pytest.raises(error, match=words):
        backend.external_ip()


@pytest.mark.parametrize(
    ("quirks", "error", "words"),
    [
        ({"full_table": True}, OutOfResources, "no room.*701"),
        ({"pinholes_forbidden": True}, NotAuthorized, "703"),
        ({"firewall_off": True}, Refused, "nothing to open.*702"),
        ({"upnp_error": 606}, NotAuthorized, "allow it in its settings.*606"),
        ({"upnp_error": 403}, NotAuthorized, "allow it in its settings.*403"),
        ({"upnp_error": -911}, Refused, "-911"),
    ],
)
def test_a_refusal_says_why_and_is_talk_that_worked(
    start: Start, quirks: dict[str, Any], error: type[Refused], words: str
) -> None:
    router, backend = start(**quirks)
    for _ in range(2):
        with pytest.raises(error, match=words):
            backend.add_mapping(Protocol.TCP, 0, 4001, 600)
    assert router.heard.description == 1


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_cannot_be_is_the_callers_error(start: Start, port: int) -> None:
    router, backend = start()
    with pytest.raises(SpecError):
        backend.add_mapping(Protocol.TCP, 0, port, 600)
    assert router.heard.search == 0


@pytest.mark.parametrize(
    "quirks",
    [
        {"silent": True},
        {"no_pinholes": True},
        {"evil_control_url": True},
        {"redirect": True},
        {"xml_bomb": True},
        {"huge_body": 1 << 20},
        {"truncated": True},
    ],
    ids=str,
)
def test_a_device_that_lures_or_floods_or_has_no_firewall_is_no_gateway(start: Start, quirks: dict[str, Any]) -> None:
    router, backend = start(**quirks)
    with pytest.raises(NoGateway):
        backend.external_ip()
    assert router.heard.trap == 0


def test_a_dripping_description_takes_no_longer_than_the_timeout(start: Start) -> None:
    _, backend = start(timeout=0.6, drip=0.05)
    with pytest.raises(NoGateway):
        backend.external_ip()


@pytest.mark.parametrize(
    "quirk",
    ["junk_after_xml", "no_namespaces", "odd_content_type", "url_base", "double_slash", "absolute_control_url"],
)
def test_odd_pages_are_forgiven(start: Start, quirk: str) -> None:
    router, backend = start(**{quirk: True})
    backend.add_mapping(Protocol.TCP, 0, 4001, 600)
    assert opened(router) == [("TCP", 4001, 600)]


def test_a_printer_that_answers_first_costs_nothing(start: Start) -> None:
    _, backend = start(printer_answers_first=True)
    assert backend.external_ip() == US


def test_silence_in_the_middle_is_a_timeout(start: Start) -> None:
    router, backend = start(timeout=0.6)
    backend.external_ip()
    router.quirks = Quirks(silent=True)
    with pytest.raises((GatewayTimeout, NoGateway)):
        backend.external_ip()


# The argument.


def test_the_backend_upnp_leads_here() -> None:
    assert isinstance(Upnp.ipv6_from_argument(None), UpnpPinholes)


def test_a_url_makes_the_search_unnecessary(start: Start) -> None:
    router, _ = start()
    backend = UpnpPinholes(parse_url(router.description_url6), here=lambda: US)
    assert backend.external_ip() == US
    assert router.heard.search == 0


@pytest.mark.parametrize("argument", ["http://192.168.1.1:5000/rootDesc.xml", "", "fe80::1", "http://[fe80::1/x"])
def test_an_argument_that_names_no_ipv6_gateway_is_the_users_error(argument: str) -> None:
    with pytest.raises(SpecError, match="for IPv6 write"):
        Upnp.ipv6_from_argument(argument)


def test_a_gateway_that_was_named_and_has_no_firewall_is_garbled(start: Start) -> None:
    router, _ = start(no_pinholes=True)
    backend = UpnpPinholes(parse_url(router.description_url6), here=lambda: US)
    with pytest.raises(Garbled, match="WANIPv6FirewallControl"):
        backend.external_ip()
