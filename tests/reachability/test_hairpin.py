"""The router's loop: what proves that a connection to the external address came back here. Real sockets on hairpin."""

import socket
from ipaddress import IPv4Address, IPv4Network

import pytest

from portmap.errors import PortmapError
from portmap.model import Protocol
from portmap.network.listening_sockets import Connection
from portmap.reachability import hairpin
from portmap.reachability.hairpin import CameBack, hairpin_tcp, hairpin_udp
from portmap.reachability.temporary_listener import TemporaryListener

HERE = IPv4Address("127.0.0.1")


def test_a_connection_that_arrives_here_proves_the_loop(service: int) -> None:
    assert hairpin_tcp((HERE, service), service, None).proved


def test_a_connection_that_ends_elsewhere_proves_nothing(service: int, free_port: int) -> None:
    loop = hairpin_tcp((HERE, service), free_port, None)
    assert (loop.proved, loop.detail) == (False, "something answered, but not this host")


def test_a_connection_that_is_refused_proves_nothing(free_port: int) -> None:
    assert not hairpin_tcp((HERE, free_port), free_port, None).proved


ROUTER = IPv4Address("192.168.1.1")


@pytest.mark.parametrize(
    ("peer", "port", "may_be"),
    [
        ("192.168.1.2", 5000, True),  # the router left our address as it is
        ("192.168.1.2", 5001, False),  # another connection of this host
        ("11.22.33.1", 7, True),  # it put its external address there
        ("192.168.1.1", 7, True),  # or its own
        ("10.1.1.1", 7, True),  # a second router behind it did
        ("192.168.1.3", 5000, False),  # a neighbour's
        ("127.0.0.1", 5000, False),
        ("11.22.33.44", 5000, False),  # from outside
    ],
)
def test_only_what_may_have_come_back_from_the_router_proves_the_loop(
    peer: str, port: int, *, may_be: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hairpin, "is_on_link", lambda address: address in IPv4Network("192.168.1.0/24"))
    came_back = CameBack(IPv4Address("11.22.33.1"), ("192.168.1.2", 5000), (ROUTER,))
    assert came_back.may_be(Connection(IPv4Address(peer), port, "0")) is may_be


def test_the_loop_is_proved_by_our_own_socket_where_no_program_listens(free_port: int) -> None:
    with TemporaryListener(Protocol.TCP, free_port) as listener:
        assert hairpin_tcp((HERE, free_port), free_port, listener).proved


def test_the_loop_of_udp_is_proved_by_the_token_alone(free_port: int) -> None:
    with TemporaryListener(Protocol.UDP, free_port) as listener:
        assert hairpin_udp((HERE, free_port), b"0123456789", listener).proved
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"something else", ("127.0.0.1", free_port))
        assert not listener.received(b"0123456789", 0.1)


def test_a_port_that_is_taken_cannot_be_stood_in_for(service: int) -> None:
    with pytest.raises(PortmapError, match="cannot be listened on"):
        TemporaryListener(Protocol.TCP, service)
