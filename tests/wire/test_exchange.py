import itertools
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address, ip_address
from math import inf
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap.model import Protocol
from portmap.wire import exchange
from portmap_natpmp import Timeouts
from portmap_natpmp.packets import AddressAnswer, AddressRequest, MappingAnswer, MappingRequest, Refusal

if TYPE_CHECKING:
    from tests.natpmp.conftest import Clock, MakePeer

GOOD = "00 80 0000 00000005 cb007107"
OTHER = "00 80 0000 00000005 c6336401"  # as good, but 198.51.100.1
ANSWER = AddressAnswer(5, IPv4Address("203.0.113.7"))
MAP = MappingRequest(Protocol.TCP, 30303, 30303, 600)


def test_one_packet_is_enough(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer(GOOD)
    assert exchange(gateway.address, AddressRequest(), patient, speaks="NAT-PMP") == ANSWER
    assert gateway.heard_hex == ["0000"]


def test_a_lost_packet_is_sent_again(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer("", GOOD)
    assert exchange(gateway.address, AddressRequest(), patient, speaks="NAT-PMP") == ANSWER
    assert gateway.heard_hex == ["0000", "0000"]


@pytest.mark.parametrize(
    "nonsense",
    [
        "ff" * 12,
        "00",
        "00 80 0000",  # too short
        "0000",  # the request, echoed
        "02 80 0000 00000005 cb007107",  # another version
        "00 82 0000 00000005 765f 765f 00000258",  # an answer to another question
        "00" * 9000,
    ],
)
def test_nonsense_is_waited_past(nonsense: str, peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer(f"{nonsense}; {nonsense}; {GOOD}")
    assert exchange(gateway.address, AddressRequest(), patient, speaks="NAT-PMP") == ANSWER
    assert gateway.heard_hex == ["0000"]


def test_an_empty_datagram_is_waited_past(peer: "MakePeer", patient: Timeouts) -> None:
    assert exchange(peer(f" ; {GOOD}").address, AddressRequest(), patient, speaks="NAT-PMP") == ANSWER


def test_an_answer_from_elsewhere_never_arrives(peer: "MakePeer", patient: Timeouts) -> None:
    assert exchange(peer(f"~{OTHER}; {GOOD}").address, AddressRequest(), patient, speaks="NAT-PMP") == ANSWER


def test_an_answer_from_elsewhere_only_is_silence(peer: "MakePeer", impatient: Timeouts) -> None:
    with pytest.raises(GatewayTimeout):
        exchange(peer(f"~{GOOD}").address, AddressRequest(), impatient, speaks="NAT-PMP")


def test_an_answer_for_another_port_is_waited_past(peer: "MakePeer", patient: Timeouts) -> None:
    wrong, right = "00 82 0000 00000005 1111 1111 00000258", "00 82 0000 00000005 765f 765f 00000258"
    assert exchange(peer(f"{wrong}; {right}").address, MAP, patient, speaks="NAT-PMP") == MappingAnswer(5, 30303, 600)


def test_the_first_of_two_answers_counts(peer: "MakePeer", patient: Timeouts) -> None:
    assert exchange(peer(f"{GOOD}; {OTHER}").address, AddressRequest(), patient, speaks="NAT-PMP") == ANSWER


def test_duplicates_do_not_leak_into_the_next_exchange(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer(f"{OTHER}; {OTHER}; {OTHER}", GOOD)
    exchange(gateway.address, AddressRequest(), patient, speaks="NAT-PMP")
    assert exchange(gateway.address, AddressRequest(), patient, speaks="NAT-PMP") == ANSWER


def test_a_refusal_is_an_answer(peer: "MakePeer", patient: Timeouts) -> None:
    assert exchange(peer("00 82 0004 00000005").address, MAP, patient, speaks="NAT-PMP") == Refusal(5, 4)


def test_silence_is_a_timeout_that_names_the_gateway(peer: "MakePeer", impatient: Timeouts) -> None:
    gateway = peer("")
    with pytest.raises(GatewayTimeout, match=rf"127\.0\.0\.1:{gateway.port} within 0\.06 s"):
        exchange(gateway.address, AddressRequest(), impatient, speaks="NAT-PMP")


def test_silence_ends_at_the_timeout(peer: "MakePeer", impatient: Timeouts) -> None:
    with Stopwatch() as watch, pytest.raises(GatewayTimeout):
        exchange(peer("").address, AddressRequest(), impatient, speaks="NAT-PMP")
    assert watch.elapsed >= 0.06
    assert watch.seconds < 1.0


def test_the_wait_doubles_with_each_packet(peer: "MakePeer") -> None:
    gateway, tick = peer(""), 1 / 1024
    ticks = itertools.count(0.0, tick)  # a clock of its own, so that a busy machine changes nothing
    with pytest.raises(GatewayTimeout):
        exchange(
            gateway.address,
            AddressRequest(),
            Timeouts(tick, 12 * tick, longest_wait=inf),
            clock=lambda: next(ticks),
            speaks="NAT-PMP",
        )
    assert len(gateway.heard_hex) == 4  # at 0, 1, 3 and 7 ticks; if it tripled, the last at 13


def test_no_wait_is_longer_than_the_longest(peer: "MakePeer") -> None:
    gateway, tick = peer(""), 1 / 1024
    ticks = itertools.count(0.0, tick)
    with pytest.raises(GatewayTimeout):
        exchange(
            gateway.address,
            AddressRequest(),
            Timeouts(tick, 9 * tick, 2 * tick),
            clock=lambda: next(ticks),
            speaks="NAT-PMP",
        )
    assert len(gateway.heard_hex) == 5  # at 0, 1, 3, 5 and 7 ticks


def test_by_default_eight_packets_fill_the_deadline() -> None:
    timeout = Timeouts()
    waits = [min(timeout.first_wait * 2**n, timeout.longest_wait) for n in range(8)]
    assert (sum(waits), max(waits)) == (timeout.deadline, 0.5)


def test_nothing_but_garbage_is_garbled_at_the_deadline(peer: "MakePeer", ticking: "Clock") -> None:
    gateway = peer("ff" * 12)
    with pytest.raises(Garbled, match="only garbage: the answer is of version 255"):
        exchange(gateway.address, AddressRequest(), Timeouts(1.0, 2.0), ticking, speaks="NAT-PMP")
    assert gateway.heard_hex == ["0000", "0000"]


def test_a_gateway_that_keeps_talking_ends_with_the_deadline(peer: "MakePeer", ticking: "Clock") -> None:
    gateway = peer("; ".join(["ff"] * 50))
    with pytest.raises(Garbled):
        exchange(gateway.address, AddressRequest(), Timeouts(30.0, 30.0), ticking, speaks="NAT-PMP")
    assert gateway.heard_hex == ["0000"]


def test_a_closed_port_is_no_gateway_at_once(closed_port: int) -> None:
    with Stopwatch() as watch, pytest.raises(NoGateway, match="no program speaks NAT-PMP"):
        exchange(("127.0.0.1", closed_port), AddressRequest(), Timeouts(), speaks="NAT-PMP")
    assert watch.seconds < 1.0


def test_an_address_that_cannot_be_sent_to_is_no_gateway() -> None:
    with pytest.raises(NoGateway, match="cannot be reached"):
        exchange(("127.255.255.255", 9), AddressRequest(), Timeouts(), speaks="NAT-PMP")  # loopback's broadcast address


@pytest.fixture
def a_thousand_open_files() -> Iterator[None]:
    resource = pytest.importorskip("resource", reason="only POSIX systems number their descriptors from 0")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= hard < 1200:  # RLIM_INFINITY is -1
        pytest.skip(f"needs 1,200 file descriptors, and this user may have {hard} at the most (ulimit -Hn)")
    with ExitStack() as stack:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1030):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        yield


@pytest.mark.usefixtures("a_thousand_open_files")
def test_descriptors_above_1023_work(peer: "MakePeer", patient: Timeouts) -> None:
    assert exchange(peer(GOOD).address, AddressRequest(), patient, speaks="NAT-PMP") == ANSWER


@pytest.mark.parametrize(("at", "source"), [("127.0.0.1", "127.0.0.7"), ("::1", "::1")])
def test_a_question_leaves_from_our_own_address_by_ipv4_and_ipv6(at: str, source: str, patient: Timeouts) -> None:
    senders: list[tuple[str, int]] = []

    def answer_one(gateway: socket.socket) -> None:
        _, sender = gateway.recvfrom(100)
        senders.append(sender[:2])
        gateway.sendto(bytes.fromhex(GOOD), sender)

    with socket.socket(socket.AF_INET6 if ":" in at else socket.AF_INET, socket.SOCK_DGRAM) as gateway:
        gateway.bind((at, 0))
        thread = threading.Thread(target=answer_one, args=(gateway,))
        thread.start()
        where = at, gateway.getsockname()[1]
        assert exchange(where, AddressRequest(), patient, speaks="NAT-PMP", source=ip_address(source)) == ANSWER
        thread.join(10)
    ((address, port),) = senders
    assert address == source
    assert port >= 1024  # one of the system's choice, which another host has to guess


FORGED = AddressAnswer(5, IPv4Address("198.51.100.1"))  # as OTHER
BRIEF = Timeouts(0.05, 30.0)


def test_an_answer_that_is_certain_counts_more_than_one_before_it_that_is_not(peer: "MakePeer") -> None:
    gateway = peer(f"{OTHER}; {OTHER}; {GOOD}")
    found = exchange(
        gateway.address, AddressRequest(), BRIEF, speaks="NAT-PMP", is_certain=lambda answer: answer == ANSWER
    )
    assert found == ANSWER


def test_where_no_answer_is_certain_the_first_counts_soon_and_nothing_more_is_sent(peer: "MakePeer") -> None:
    gateway = peer(f"{OTHER}; {GOOD}")
    with Stopwatch() as watch:
        found = exchange(gateway.address, AddressRequest(), BRIEF, speaks="NAT-PMP", is_certain=lambda _: False)
    assert found == FORGED
    assert gateway.heard_hex == ["0000"]
    assert watch.seconds < 5


@pytest.mark.skipif(sys.platform != "linux", reason="an interface can be chosen on Linux only")
def test_a_question_by_an_interface_is_answered_there_and_its_silence_names_it(
    peer: "MakePeer", patient: Timeouts, impatient: Timeouts
) -> None:
    gateway = peer(GOOD)
    assert exchange(gateway.address, AddressRequest(), patient, speaks="NAT-PMP", interface="lo") == ANSWER
    with pytest.raises(GatewayTimeout, match="by lo within"):
        exchange(peer("").address, AddressRequest(), impatient, speaks="NAT-PMP", interface="lo")


def test_a_question_by_an_interface_that_is_gone_is_not_sent(peer: "MakePeer", patient: Timeouts) -> None:
    gateway = peer(GOOD)
    with pytest.raises(NoGateway, match="gone0"):
        exchange(gateway.address, AddressRequest(), patient, speaks="NAT-PMP", interface="gone0")
    assert gateway.heard_hex == []
