"""Who it is that asks the responder, behind a proxy or not. Pure."""

from ipaddress import IPv4Address, ip_address

import pytest
from tests.reachability.test_responder import asked

from portmap.reachability.responder.answers import client_of, plain
from portmap.reachability.responder.http import BadRequest

PROXY = IPv4Address("127.0.0.1")


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"X_Real_IP": "11.22.33.44"}, "11.22.33.44"),
        ({"X_Forwarded_For": "8.8.8.8, 11.22.33.44"}, "11.22.33.44"),  # only what the proxy itself added
        ({"X_Real_IP": "::ffff:11.22.33.44"}, "11.22.33.44"),
        ({"X_Real_IP": "11.22.33.44", "X_Forwarded_For": "8.8.8.8, 11.22.33.44"}, "11.22.33.44"),
    ],
)
def test_the_named_proxy_names_the_client(headers: dict[str, str], client: str) -> None:
    assert client_of(asked("/", **headers), PROXY, PROXY) == ip_address(client)


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Real_IP": "8.8.8.8", "X_Forwarded_For": "11.22.33.44"},  # Caddy sets the second, and passes the first on
        {"X_Real_IP": "11.22.33.44", "X_Forwarded_For": "8.8.8.8"},  # nginx, told to set the first only
        {"X_Real_IP": "unknown", "X_Forwarded_For": "11.22.33.44"},
    ],
)
def test_a_client_that_names_itself_in_the_header_that_the_proxy_passes_on_gets_no_answer(
    headers: dict[str, str],
) -> None:
    with pytest.raises(BadRequest):
        client_of(asked("/", **headers), PROXY, PROXY)


@pytest.mark.parametrize("proxy", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_a_proxy_on_this_host_may_come_from_either_loopback_address(peer: str, proxy: str) -> None:
    client = client_of(asked("/", X_Real_IP="11.22.33.44"), ip_address(peer), ip_address(proxy))
    assert client == ip_address("11.22.33.44")


@pytest.mark.parametrize("headers", [{}, {"X_Real_IP": "unknown"}])
def test_a_proxy_that_names_no_client_gets_no_answer(headers: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        client_of(asked("/", **headers), PROXY, PROXY)


@pytest.mark.parametrize("peer", ["127.0.0.1", "172.17.0.1", "100.100.0.7", "::1", "fd00::1"])
@pytest.mark.parametrize("header", ["X_Real_IP", "X_Forwarded_For", "Forwarded", "Via", "X_Forwarded_Proto"])
def test_a_proxy_that_was_not_named_is_not_taken_for_the_client_whose_ports_would_be_this_hosts(
    peer: str, header: str
) -> None:
    for proxy in (None, ip_address("192.168.1.9")):
        with pytest.raises(BadRequest, match="--behind"):
            client_of(asked("/port/22", **{header: "11.22.33.44"}), ip_address(peer), proxy)


def test_a_client_of_the_same_network_is_answered() -> None:
    assert client_of(asked("/"), ip_address("192.168.1.7"), None) == ip_address("192.168.1.7")


@pytest.mark.parametrize(
    ("address", "is_"), [("::ffff:1.2.3.4", "1.2.3.4"), ("fe80::1%eth0", "fe80::1"), ("1.2.3.4", "1.2.3.4")]
)
def test_an_address_is_told_plainly(address: str, is_: str) -> None:
    assert plain(ip_address(address)) == ip_address(is_)
