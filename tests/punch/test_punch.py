"""The backend `punch` on loopback: STUN servers that play the NAT, peers, and an application, all with real sockets."""

import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from textwrap import dedent
from typing import NoReturn

import pytest
from tests.punch.stun_peer import Place, StunPeer
from tests.stopwatch import Stopwatch

import portmap
from portmap.errors import GatewayTimeout, NATError, NoGateway, Refused
from portmap.model import Grant, Protocol
from portmap.wire.stun.servers import Server
from portmap_punch import Punch, stun_connection, udp_hole
from portmap_punch import backend as backend_module
from portmap_punch import opening as opening_module
from portmap_punch.argument import Argument

Eventually = Callable[[Callable[[], object]], None]
BOTH = pytest.mark.parametrize("protocol", list(Protocol))


def open_(punch: Punch, protocol: Protocol, port: int) -> Grant:
    return punch.add_mapping(protocol, port, port, 600)


def _are_more_than(seen: list[Place], count: int) -> bool:
    return len(seen) > count


@BOTH
def test_what_a_peer_sends_to_the_endpoint_reaches_the_application(
    punch: Punch, application: int, protocol: Protocol
) -> None:
    grant = open_(punch, protocol, application)
    kind = socket.SOCK_STREAM if protocol is Protocol.TCP else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as peer:
        peer.settimeout(5)
        peer.connect((str(grant.external_ip), grant.external_port))
        peer.send(b"hello")
        assert peer.recv(100) == b"hello"


@BOTH
def test_asked_again_the_endpoint_stays(punch: Punch, application: int, protocol: Protocol) -> None:
    assert open_(punch, protocol, application) == open_(punch, protocol, application)


@BOTH
def test_a_nat_that_maps_by_destination_is_refused_and_nothing_is_left_open(
    punch: Punch, peers: tuple[StunPeer, StunPeer], application: int, protocol: Protocol
) -> None:
    peers[1].sees = lambda source: (source[0], source[1] ^ 1)
    with pytest.raises(Refused, match="maps each destination to another port"):
        open_(punch, protocol, application)
    assert punch._engine._openings == {}


@BOTH
def test_two_names_of_one_server_do_not_show_how_the_nat_maps(
    peers: tuple[StunPeer, StunPeer], application: int, protocol: Protocol
) -> None:
    backend = Punch(Argument((Server(peers[0].address, peers[0].port),) * 2))
    closer = backend.watch(lambda _: None)
    with pytest.raises(GatewayTimeout, match="name a second server"):
        open_(backend, protocol, application)
    closer()


def test_a_server_that_names_itself_as_its_second_address_does_not_show_how_the_nat_maps(
    peers: tuple[StunPeer, StunPeer], application: int
) -> None:
    peers[0].other = peers[0].peer
    backend = Punch.from_argument(f"{peers[0].address}:{peers[0].port}")
    closer = backend.watch(lambda _: None)
    with pytest.raises(GatewayTimeout, match="name a second server"):
        open_(backend, Protocol.UDP, application)
    closer()


@BOTH
@pytest.mark.parametrize("place", [("2001:db8::5", 7000), ("1.2.3.4", 0)])
def test_an_endpoint_that_an_ipv4_socket_cannot_have_is_no_answer(
    punch: Punch,
    peers: tuple[StunPeer, StunPeer],
    application: int,
    protocol: Protocol,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stun_connection, "ANSWER", 0.3)
    monkeypatch.setattr(udp_hole, "ANSWER", 0.3)
    for peer in peers:
        peer.sees = lambda _: place
    with pytest.raises(GatewayTimeout, match="no STUN server answers"):
        open_(punch, protocol, application)


def test_the_suggested_port_is_granted_where_the_nat_keeps_port_numbers(punch: Punch, application: int) -> None:
    first = open_(punch, Protocol.TCP, application).external_port
    assert punch.add_mapping(Protocol.UDP, first, application, 600).external_port == first


def test_a_suggested_port_that_is_taken_here_costs_nothing(punch: Punch, application: int) -> None:
    with socket.create_server(("", 0)) as other:
        taken = other.getsockname()[1]
        assert punch.add_mapping(Protocol.TCP, taken, application, 600).external_port != taken


def test_servers_that_are_silent_are_a_timeout(punch: Punch, peers: tuple[StunPeer, StunPeer]) -> None:
    for peer in peers:
        peer.sees = lambda _: None
    with pytest.raises(GatewayTimeout):
        open_(punch, Protocol.UDP, 9)


def test_a_closed_port_takes_no_more(punch: Punch, application: int) -> None:
    grant = open_(punch, Protocol.TCP, application)
    punch.delete_mapping(Protocol.TCP, application)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((str(grant.external_ip), grant.external_port), 2)


def test_a_mapping_that_names_no_port_of_the_program_is_refused(peers: tuple[StunPeer, StunPeer]) -> None:
    spec = "punch:" + "+".join(f"{peer.address}:{peer.port}" for peer in peers)
    with portmap.open(spec, ["follow/udp"], ipv6=False) as session, pytest.raises(Refused, match="name the one that"):
        session.wait(10)


@BOTH
def test_a_server_that_goes_away_costs_no_open_port(
    peers: tuple[StunPeer, StunPeer], application: int, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun_connection, "ANSWER", 0.3)
    monkeypatch.setattr(udp_hole, "ANSWER", 0.3)
    backend = Punch(Argument(tuple(Server(peer.address, peer.port) for peer in peers)))
    closer = backend.watch(lambda _: None)
    granted = open_(backend, protocol, application)
    peers[1].sees = lambda _: None
    assert open_(backend, protocol, application) == granted
    closer()


def test_a_name_that_cannot_be_looked_up_for_now_costs_no_open_port(
    punch: Punch, application: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = open_(punch, Protocol.UDP, application)

    def look_up(server: Server) -> NoReturn:
        raise NoGateway(f"{server} has no address")

    monkeypatch.setattr(backend_module, "look_up", look_up)
    assert open_(punch, Protocol.UDP, application) == granted


def test_closing_what_is_not_open_is_no_error(punch: Punch) -> None:
    punch.delete_mapping(Protocol.UDP, 9)


def test_the_external_address_is_learnt_without_an_open_port(punch: Punch) -> None:
    assert str(punch.external_ip()).startswith("127.")
    assert punch._engine._openings == {}


def test_many_datagrams_of_many_peers_find_their_way_back(punch: Punch, application: int) -> None:
    grant = open_(punch, Protocol.UDP, application)
    for number in range(30):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.settimeout(5)
            peer.sendto(str(number).encode(), (str(grant.external_ip), grant.external_port))
            assert peer.recv(100) == str(number).encode()


def test_the_end_of_one_direction_is_passed_on_and_the_other_goes_on(punch: Punch, application: int) -> None:
    grant = open_(punch, Protocol.TCP, application)
    with socket.create_connection((str(grant.external_ip), grant.external_port), 5) as peer:
        peer.sendall(b"x" * 1_000_000)
        peer.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: peer.recv(65536), b""))
    assert (len(received), received[-3:]) == (1_000_003, b"bye")


def test_an_application_that_does_not_listen_ends_the_connection_and_the_port_stays(punch: Punch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    grant = open_(punch, Protocol.TCP, port)
    for _ in range(2):
        with socket.create_connection((str(grant.external_ip), grant.external_port), 5) as peer:
            assert peer.recv(10) == b""


@BOTH
def test_another_endpoint_is_told_within_one_keep_alive(
    protocol: Protocol,
    punch: Punch,
    peers: tuple[StunPeer, StunPeer],
    application: int,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening_module, "KEEP_ALIVE", (0.05, 0.1))
    told: list[str] = []
    punch.watch(told.append)
    open_(punch, protocol, application)
    moved: Callable[[Place], Place] = lambda _: ("11.22.33.44", 4444)  # noqa: E731  # two servers, one word
    for peer in peers:
        peer.sees = moved
    eventually(lambda: "the NAT maps to 11.22.33.44:4444 now" in told)
    assert open_(punch, protocol, application).external_port == 4444


def test_a_connection_that_falls_is_made_again_at_once(
    punch: Punch, peers: tuple[StunPeer, StunPeer], application: int, eventually: Eventually
) -> None:
    open_(punch, Protocol.TCP, application)
    before = len(peers[0].asked)
    with Stopwatch() as watch:
        peers[0].cut()
        eventually(lambda: len(peers[0].asked) > before)
    assert watch.seconds < opening_module.KEEP_ALIVE[0]


def test_servers_that_end_each_connection_are_not_asked_without_a_pause(
    punch: Punch, peers: tuple[StunPeer, StunPeer], application: int, eventually: Eventually
) -> None:
    open_(punch, Protocol.TCP, application)
    asked = peers[0].asked
    with Stopwatch() as watch:
        for times in (2, 3):
            for peer in peers:
                peer.cut()
            eventually(partial(_are_more_than, asked, times - 1))
    assert watch.seconds >= opening_module.RETRY


def test_a_server_that_is_silent_does_not_delay_the_others(
    peers: tuple[StunPeer, StunPeer], application: int, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stun_connection, "ANSWER", 30.0)
    with StunPeer(lambda _: None) as silent:
        servers = (silent, *peers)
        backend = Punch.from_argument("+".join(f"{peer.address}:{peer.port}" for peer in servers))
        closer = backend.watch(lambda _: None)
        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(open_, backend, Protocol.TCP, application)
            eventually(lambda: silent.asked and peers[0].asked and peers[1].asked)
            assert not opening.done()
            silent.cut()
            assert opening.result(5).external_port
        closer()


def test_after_the_watch_has_ended_nothing_is_open(peers: tuple[StunPeer, StunPeer], application: int) -> None:
    backend = Punch.from_argument("+".join(f"{peer.address}:{peer.port}" for peer in peers))
    closer = backend.watch(lambda _: None)
    grant = open_(backend, Protocol.TCP, application)
    closer()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((str(grant.external_ip), grant.external_port), 2)


def test_a_port_that_is_shut_while_the_servers_are_asked_stays_shut(
    punch: Punch, peers: tuple[StunPeer, StunPeer], application: int, eventually: Eventually
) -> None:
    for peer in peers:
        peer.sees = lambda _: None
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(open_, punch, Protocol.TCP, application)
        eventually(lambda: peers[0].asked)
        punch.delete_mapping(Protocol.TCP, application)
        assert isinstance(opening.exception(), NATError)
    eventually(lambda: not peers[0].connections | peers[1].connections)


def test_without_a_watch_nothing_is_printed_at_the_end_of_the_program(peers: tuple[StunPeer, StunPeer]) -> None:
    servers = "+".join(f"{peer.address}:{peer.port}" for peer in peers)
    program = dedent(f"""
        import atexit, time
        from portmap.model import Protocol
        from portmap_punch import Punch, opening
        opening.KEEP_ALIVE = (0.01, 0.02)
        atexit.register(time.sleep, 0.3)  # the end takes a while
        Punch.from_argument("{servers}").add_mapping(Protocol.UDP, 0, 9, 600)
    """)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=False)
    assert ended.stdout + ended.stderr == ""


def test_the_look_at_the_backend_costs_no_asyncio() -> None:
    code = "import sys, portmap_punch; sys.exit('asyncio' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
