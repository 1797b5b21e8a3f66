"""`protonvpn`: what it says on the wire, and its ways at a router that has a VPN gateway's: real sockets throughout."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from random import Random

import pytest
from tests.udp_peer import MakePeer, Peer

import portmap
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NoGateway, NotAuthorized, Refused, SpecError
from portmap.events import Event, PortEvent
from portmap.loop.policy import OnConflict
from portmap.model import Grant, Protocol
from portmap.session.session import Session
from portmap.testing import Quirks, Router, loopback_address
from portmap_natpmp import NatPmp, Timeouts
from portmap_natpmp.protonvpn import ProtonVpn

TCP, UDP = Protocol.TCP, Protocol.UDP
HERE = IPv4Address("127.0.0.1")
GRANT = "00 82 0000 00000005 0000 9351 0000003c"  # TCP internal port 0, 37713 outside, 60 s
ADVICE = r"NAT-PMP \(port forwarding\) is ticked.*\+pmp.*P2P"


# what is said


def test_it_speaks_to_the_gateway_that_protonvpn_gives() -> None:
    assert str(ProtonVpn.from_argument(None)) == "ProtonVPN 10.2.0.1"


def test_or_to_the_one_that_is_named() -> None:
    assert str(ProtonVpn.from_argument("10.2.0.9")) == "ProtonVPN 10.2.0.9"


@pytest.mark.parametrize("argument", ["", "vpn.example", "10.2.0.1:5351", "fe80::1", "0.0.0.0"])  # noqa: S104  # no bind
def test_nonsense_is_refused_with_its_own_form(argument: str) -> None:
    with pytest.raises(SpecError, match=r"protonvpn:10\.2\.0\.1"):
        ProtonVpn.from_argument(argument)


def test_it_is_asked_only_by_name_for_a_minute_and_knows_what_is_usually_wanted() -> None:
    assert (ProtonVpn.preference, ProtonVpn.default_lifetime) == (None, 60)
    assert ProtonVpn.default_mappings == ("1=follow/both",)


@pytest.fixture
def talk(peer: MakePeer, patient: Timeouts) -> Callable[..., tuple[ProtonVpn, Peer]]:
    """A backend and what its gateway hears."""

    def talk(*script: str) -> tuple[ProtonVpn, Peer]:
        gateway = peer(*script)
        backend = ProtonVpn(HERE, gateway.port, timeouts=patient, announced_at=())
        return backend, gateway

    return talk


Talk = Callable[..., tuple[ProtonVpn, Peer]]


@pytest.mark.parametrize("internal", [0, 1])
@pytest.mark.parametrize("lifetime", [60, 600, 7200])
def test_it_says_what_protonvpn_says_that_natpmpc_shall_say(talk: Talk, internal: int, lifetime: int) -> None:
    backend, gateway = talk(GRANT)
    assert backend.add_mapping(TCP, 0, internal, lifetime, client=None) == Grant(37713, 60)
    assert gateway.heard_hex == ["00020000000000010000003c"]  # natpmpc -a 1 0 tcp 60


def test_the_port_that_was_drawn_is_asked_for_again(talk: Talk) -> None:
    backend, gateway = talk(GRANT)
    backend.add_mapping(TCP, 37713, 1, 60, client=None)
    assert gateway.heard_hex == ["00020000000093510000003c"]


@pytest.mark.parametrize("internal", [0, 1])
def test_every_programs_mappings_are_never_deleted_at_once(talk: Talk, internal: int) -> None:
    backend, gateway = talk(GRANT)
    with pytest.raises(Refused, match="other programs' too"):
        backend.delete_mapping(TCP, internal, 37713, client=None)
    assert gateway.heard_hex == []


def test_a_mapping_of_one_internal_port_is_deleted_as_ever(talk: Talk) -> None:
    backend, gateway = talk("00 82 0000 00000005 1ae1 0000 00000000")
    backend.delete_mapping(TCP, 6881, 6881, client=None)
    assert gateway.heard_hex == ["000200001ae1000000000000"]


# what users forget


def test_no_answer_from_the_gateway_is_told_with_what_to_check(closed_port: int) -> None:
    with pytest.raises(NoGateway, match=ADVICE):
        ProtonVpn(HERE, closed_port).external_ip()


def test_silence_is_told_with_what_to_check(peer: Callable[..., "object"], impatient: Timeouts) -> None:
    backend = ProtonVpn(HERE, peer("").port, timeouts=impatient)  # type: ignore[attr-defined]
    with pytest.raises(GatewayTimeout, match=ADVICE):
        backend.add_mapping(TCP, 0, 1, 60, client=None)


def test_a_refusal_is_told_with_what_to_check_and_keeps_its_code(talk: Talk) -> None:
    backend, _ = talk("00 82 0002 00000005 0000 0000 00000000")
    with pytest.raises(NotAuthorized, match=ADVICE) as refusal:
        backend.add_mapping(TCP, 0, 1, 60, client=None)
    assert refusal.value.code == 2


# at a router


class LowPorts(Random):
    """Draws ports on which a test can listen: the kernel gives those from 32768 on to others (ip_local_port_range)."""

    def randint(self, a: int, b: int) -> int:
        return super().randint(20000, 32000)


class Home:
    """Opens sessions at a simulated router, and closes them after the test."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def router(self, **quirks: object) -> Router:
        chosen = Quirks(**quirks)  # type: ignore[arg-type]  # the test's own words
        router = Router(loopback_address(), pmp_port=0, upnp=False, quirks=chosen, random=LowPorts())
        return self._stack.enter_context(router)

    def open(
        self, router: Router, *mappings: str, kind: type[NatPmp] = ProtonVpn, on_conflict: OnConflict = OnConflict.NEXT
    ) -> Session:
        backend = kind(IPv4Address(router.address), router.pmp_port, announced_at=())
        session = portmap.open(Nat(backend, "home"), mappings, on_conflict=on_conflict)
        return self._stack.enter_context(session)

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def home() -> Iterator[Home]:
    home = Home()
    yield home
    home.close()


def ports(session: Session) -> dict[str, int]:
    """The open external ports, by protocol and internal port, as `TCP 4001`."""
    return {f"{it.protocol} {it.internal_port}": it.external_port for it in session.wait(10)}


def until(session: Session, name: str) -> Event:
    """The first event of that name."""
    return next(event for event in session.events() if event.event == name)


def test_named_alone_it_maps_one_port_for_both_protocols_and_says_to_listen_there(home: Home) -> None:
    session = home.open(home.router(vpn_gateway=True))
    held = ports(session)
    assert held.keys() == {"TCP 1", "UDP 1"}
    assert len(set(held.values())) == 1
    assert all(mapping.follow and mapping.lifetime == 60 for mapping in session.mappings)


def test_bytes_arrive_at_the_application_that_listens_on_the_port_it_was_given(home: Home) -> None:
    router = home.router(vpn_gateway=True)
    port = ports(home.open(router, "follow/both"))["TCP 1"]
    with socket.create_server((router.entries[0].internal_client, port)) as application:
        application.settimeout(5)
        with socket.create_connection((router.outside, port), timeout=5) as peer:
            peer.sendall(b"hello")
            with application.accept()[0] as link:
                assert link.recv(5) == b"hello"


def test_no_mapping_is_asked_for_twice_at_the_start(home: Home) -> None:
    router = home.router(vpn_gateway=True)
    ports(home.open(router, "follow/both"))
    assert router.heard.map == 2


def test_what_is_left_to_run_out_is_told_as_such(home: Home) -> None:
    session = home.open(home.router(vpn_gateway=True), "follow")
    ports(session)
    session.close()
    removed = until(session, "mapping.removed").to_dict()
    assert "left to run out" in str(removed["reason"])
    assert "other programs' too" in str(removed["reason"])


def test_with_plain_nat_pmp_the_internal_port_1_is_deleted_in_the_end(home: Home) -> None:
    router = home.router(vpn_gateway=True)
    session = home.open(router, "follow/both", kind=NatPmp)
    assert len(set(ports(session).values())) == 1
    session.close()
    assert router.entries == ()


def test_a_router_that_needs_an_internal_port_says_no(home: Home) -> None:
    session = home.open(home.router(), "0=follow", kind=NatPmp)
    assert until(session, "mapping.failed").to_dict()["error"] == "NotAuthorized"


# pairs and ranges at a router


def test_a_taken_port_gives_a_pair_one_other_for_both(home: Home) -> None:
    router = home.router(conflict=frozenset({4001}))
    session = home.open(router, "4001/both", kind=NatPmp)
    assert ports(session) == {"TCP 4001": 4002, "UDP 4001": 4002}


def test_a_pair_at_a_router_that_never_gives_what_is_asked_for_ends_with_the_reason(home: Home) -> None:
    router = home.router(other_port=True)
    session = home.open(router, "4001/both", kind=NatPmp)
    events = (event for event in session.events() if isinstance(event, PortEvent))
    told = next(event for event in events if "gave no common port" in event.reason)
    assert sorted(entry.external_port for entry in router.entries) == sorted(ports(session).values())
    assert f"{told.protocol} has {told.external_port}" in told.reason or f"{told.external_port}:" in told.reason


def test_a_follower_at_a_common_router_is_mapped_to_the_same_port_inside(home: Home) -> None:
    router = home.router(conflict=frozenset({6881}))
    session = home.open(router, "6881=follow/both", kind=NatPmp)
    assert ports(session) == {"TCP 6881": 6882, "UDP 6881": 6882}
    assert {(entry.external_port, entry.internal_port) for entry in router.entries} == {(6882, 6882)}
    session.close()
    assert router.entries == ()


def test_where_only_one_port_will_do_a_pair_at_a_taken_one_fails(home: Home) -> None:
    router = home.router(conflict=frozenset({4001}))
    session = home.open(router, "4001/both", kind=NatPmp, on_conflict=OnConflict.FAIL)
    assert until(session, "mapping.failed").to_dict()["error"] == "Conflict"


def test_sixteen_ports_in_a_row_are_open_in_a_row(home: Home) -> None:
    router = home.router()
    session = home.open(router, "20000:27015-27030/udp", kind=NatPmp)
    assert list(ports(session).values()) == list(range(20000, 20016))
    assert [entry.internal_port for entry in router.entries] == list(range(27015, 27031))
