"""The simulated STUN server itself."""

import socket
import struct
from collections.abc import Callable

import pytest

from portmap.errors import PortmapError
from portmap.testing import StunServer

Serve = Callable[..., StunServer]
ID = b"123456789012"
REQUEST = struct.pack("!HHI", 1, 0, 0x2112A442) + ID


def answers(server: StunServer, datagram: bytes, number: int = 1) -> list[bytes]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        client.sendto(datagram, (server.address, server.port))
        return [client.recv(2048) for _ in range(number)]


def is_heard(server: StunServer, datagram: bytes) -> bool:
    """Whether it counts as a request; the good one behind it proves that it was looked at."""
    answers(server, datagram + b"" if datagram == REQUEST else REQUEST)
    before = server.asked
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(datagram, (server.address, server.port))
    answers(server, REQUEST)
    return server.asked - before > 1


def test_a_client_is_told_the_address_that_it_asks_from(serve: Serve) -> None:
    (answer,) = answers(serve(None), REQUEST)
    assert bytes(byte ^ hide for byte, hide in zip(answer[-4:], b"\x21\x12\xa4\x42", strict=True)) == b"\x7f\0\0\1"
    assert (answer[:2], answer[8:20]) == (b"\x01\x01", ID)


def test_a_stray_comes_first_and_is_another_transactions(serve: Serve) -> None:
    stray, answer = answers(serve(stray=True), REQUEST, 2)
    assert stray[8:20] != ID == answer[8:20]


@pytest.mark.parametrize("datagram", [b"", REQUEST[:-1], REQUEST + b"\0", b"\1" + REQUEST[1:], b"\0" * 20])
def test_what_is_no_binding_request_is_not_heard(serve: Serve, datagram: bytes) -> None:
    assert not is_heard(serve(), datagram)


def test_its_spec_has_brackets_for_ipv6(serve: Serve) -> None:
    server = serve(at="::1")
    assert server.spec == f"stun:[::1]:{server.port}"


def test_it_stays_on_loopback() -> None:
    with pytest.raises(PortmapError, match="stays on loopback"):
        StunServer("192.0.2.1")


def test_a_port_that_is_taken_is_an_error_in_words(serve: Serve) -> None:
    with pytest.raises(PortmapError, match="cannot listen"):
        StunServer(port=serve().port)


def test_closing_twice_is_harmless(serve: Serve) -> None:
    serve().close()
