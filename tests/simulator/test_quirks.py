"""Each switch, as it shows on the wire. The refusals have their tests beside the pure answers."""

import socket
import time
from collections.abc import Callable
from http.client import HTTPException
from random import Random
from typing import TypeAlias
from urllib.request import urlopen

import pytest

from portmap.simulator.net.impairment import Impairment
from portmap.simulator.state import RouterState
from portmap.testing import Heard, Quirks, Router

Start: TypeAlias = Callable[..., Router]
ADDRESS = b"\0\0"
HONEST = bytes.fromhex("00800000 00000000 01020304")
SHORT = 0.05  # seconds to wait for what shall not come


def ask(router: Router, sock: socket.socket, timeout: float = 2.0) -> tuple[bytes, str] | None:
    """Ask for the external address: the answer and where it comes from, None if there is none."""
    sock.settimeout(timeout)
    sock.sendto(ADDRESS, (router.address, router.pmp_port))
    try:
        data, (sender, _port) = sock.recvfrom(2048)
    except TimeoutError:
        return None
    return data, sender


def description(router: Router, timeout: float = 2.0) -> bytes:
    with urlopen(router.description_url, timeout=timeout) as response:  # noqa: S310  # the router's own
        return bytes(response.read())


def test_without_quirks_the_answer_is_honest(router: Router, sock: socket.socket) -> None:
    assert ask(router, sock) == (HONEST, router.address)


def test_lost_first_loses_that_many_and_no_more(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(lost_first=2))
    assert [ask(router, sock, SHORT) for _ in range(2)] == [None, None]
    assert ask(router, sock) == (HONEST, router.address)


def test_what_is_lost_on_the_way_in_was_not_heard(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(loss=1.0))
    ask(router, sock, SHORT)
    assert router.heard == Heard()


def test_loss_is_a_share_each_way(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(loss=0.5), random=Random(1))  # noqa: S311  # a die
    answered = sum(ask(router, sock, 0.01) is not None for _ in range(40))
    assert 1 <= answered < router.heard.address < 40


def test_silent_hears_and_does_not_answer(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(silent=True))
    assert ask(router, sock, SHORT) is None
    router.quirks = Quirks()
    assert ask(router, sock)
    assert router.heard == Heard(address=2)


def test_silent_is_silent_in_http_too(start: Start) -> None:
    router = start(quirks=Quirks(silent=True))
    with pytest.raises(TimeoutError):
        description(router, SHORT)


def test_slow_is_what_every_answer_takes(start: Start, sock: socket.socket) -> None:
    router, begun = start(quirks=Quirks(slow=0.05)), time.monotonic()
    assert ask(router, sock)
    assert description(router)
    assert time.monotonic() - begun >= 0.1


def test_a_slow_answer_delays_no_other_request(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(slow=30))
    sock.sendto(ADDRESS, (router.address, router.pmp_port))
    while router.heard.address == 0:
        time.sleep(0.001)
    router.quirks = Quirks()
    assert ask(router, sock)


def test_garbage_is_as_long_as_the_answer_and_nothing_like_it(start: Start, sock: socket.socket) -> None:
    answer = ask(start(quirks=Quirks(garbage=True)), sock)
    assert answer is not None
    assert len(answer[0]) == len(HONEST)
    assert answer[0] != HONEST


def test_garbage_is_never_an_answer_of_nat_pmp_or_pcp() -> None:
    """One in 500 random datagrams says that it is of a PCP that knows no version 2."""
    garbage = Impairment(RouterState(quirks=Quirks(garbage=True)), Random(1))  # noqa: S311  # a die
    answer_bits = {(garbage.apply_to_stream(HONEST) or b"")[1] & 0x80 for _ in range(100)}
    assert answer_bits == {0}


def test_garbage_is_no_http(start: Start) -> None:
    router = start(quirks=Quirks(garbage=True), random=Random(1))  # noqa: S311  # a die
    with pytest.raises((HTTPException, OSError)):
        description(router)


def test_truncated_is_the_first_half(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(truncated=True))
    assert ask(router, sock) == (HONEST[:6], router.address)


def test_a_truncated_page_ends_too_soon(start: Start) -> None:
    router = start(quirks=Quirks(truncated=True))
    with pytest.raises(HTTPException):
        description(router)


def test_the_wrong_sender_says_the_right_thing(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(wrong_sender=True))
    answer = ask(router, sock)
    assert answer is not None
    assert answer[0] == HONEST
    assert answer[1] != router.address


def test_quirks_combine(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(lost_first=1, truncated=True))
    assert ask(router, sock, SHORT) is None
    assert ask(router, sock) == (HONEST[:6], router.address)


def test_replacing_the_quirks_counts_losses_anew(router: Router, sock: socket.socket) -> None:
    ask(router, sock)
    router.quirks = Quirks(lost_first=1)
    assert ask(router, sock, SHORT) is None


def test_duplicate_answers_twice(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(duplicate=True))
    assert ask(router, sock) == (HONEST, router.address)
    assert sock.recv(2048) == HONEST
    assert router.heard == Heard(address=1)


def test_reorder_lets_the_next_answer_overtake(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(reorder=True))
    assert ask(router, sock, SHORT) is None
    sock.sendto(b"\0\x05", (router.address, router.pmp_port))
    assert [sock.recv(2048)[1], sock.recv(2048)[1]] == [0x85, 0x80]


def test_drip_comes_byte_by_byte(start: Start) -> None:
    router, begun = start(quirks=Quirks(drip=0.0001)), time.monotonic()
    page = description(router, 9)
    assert time.monotonic() - begun >= 0.0001 * len(page)


def test_a_dripping_answer_delays_no_other_request(start: Start, sock: socket.socket) -> None:
    router = start(quirks=Quirks(drip=0.05))
    with pytest.raises(TimeoutError), urlopen(router.description_url, timeout=SHORT):  # noqa: S310  # the router's own
        pass
    assert ask(router, sock) == (HONEST, router.address)
