"""What the backend says is the external address, and which of several gateways says it."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.upnp.one_mapping import PORT, add

from portmap.errors import NATError, Refused
from portmap.model import Grant
from portmap.testing import Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.control.external_address import parse_external_ip
from portmap_upnp.location import parse_url

if TYPE_CHECKING:
    from tests.upnp.conftest import WebServers


SERVICE = "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>{}</controlURL>"


def test_the_external_address_is_learnt(router: Router, upnp: Upnp) -> None:
    router.external_ip = "203.0.113.7"
    assert upnp.external_ip() == IPv4Address("203.0.113.7")


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


def test_a_dead_first_connection_gives_way_to_a_live_second(router: Router, serve: "WebServers") -> None:
    live = router.description_url.replace("desc.xml", "ctl/IPConn")
    services = "".join(f"<service>{SERVICE.format(url)}</service>" for url in (serve.body(b"", "500 Error"), live))
    described = serve.body(f"<root><device>{services}</device></root>".encode())
    assert Upnp(described).external_ip() == IPv4Address(router.external_ip)
