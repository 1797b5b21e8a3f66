"""check_port: the probes on loopback, with real sockets."""

import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

import pytest
from tests.reachability.test_responder import running

from portmap.errors import Refused
from portmap.model import PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket
from portmap.reachability import check
from portmap.reachability.check import PATIENCE, Endpoint, check_port
from portmap.reachability.echo import EchoAnswer, EchoClient
from portmap.reachability.responder.server import Responder
from portmap.reachability.verdict import Blame, Verdict

HERE = IPv4Address("127.0.0.1")
ANYWHERE = IPv4Address(0)


@dataclass
class Told:
    """A responder that always says the same, and which IP versions it was asked over."""

    reachable: bool
    address: IPv4Address = HERE
    versions: list[int | None] = field(default_factory=list)

    def check(self, port: int, protocol: Protocol, token: str = "", version: int | None = None) -> EchoAnswer:
        del protocol, token
        self.versions.append(version)
        return EchoAnswer(IPv6Address("::1") if version == 6 else self.address, port, self.reachable)


def tcp(port: int) -> PortRequest:
    return PortRequest(Protocol.TCP, port)


def udp(port: int) -> PortRequest:
    return PortRequest(Protocol.UDP, port)


def test_a_listening_port_that_the_responder_reaches_is_open(service: int, responder: EchoClient) -> None:
    found = check_port(tcp(service), Endpoint(None, service), responder)
    assert (found.verdict, found.how) == (Verdict.OPEN, "a responder outside")


def test_the_port_of_another_host_is_judged_from_outside_alone(service: int, responder: EchoClient) -> None:
    def sockets(_: object) -> None:
        pytest.fail("what listens here says nothing of another host")

    request = PortRequest(Protocol.TCP, service, host="127.0.0.9")
    found = check_port(request, Endpoint(HERE, service), responder, sockets=sockets)
    assert (found.verdict, found.host, found.how) == (Verdict.OPEN, "127.0.0.9", "a responder outside")
    assert found.steps[0] == "listens on 127.0.0.9: that cannot be seen from here"
    assert len(found.steps) == 2


def test_where_the_port_of_another_host_is_not_reached_that_host_may_be_why(
    free_port: int, responder: EchoClient
) -> None:
    request = PortRequest(Protocol.TCP, free_port, host="127.0.0.9")
    found = check_port(request, Endpoint(None, free_port), responder)
    assert found.verdict is Verdict.CLOSED
    assert "or nothing listens on 127.0.0.9" in found.reason


def test_a_port_without_a_program_is_closed_by_this_host_and_the_way_is_told(
    free_port: int, responder: EchoClient
) -> None:
    found = check_port(tcp(free_port), Endpoint(None, free_port), responder)
    assert (found.verdict, found.by) == (Verdict.CLOSED, Blame.HOST)
    assert "The way is free" in found.reason


def test_a_check_leaves_no_socket_of_its_own_behind(free_port: int, responder: EchoClient) -> None:
    check_port(tcp(free_port), Endpoint(None, free_port), responder)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", free_port), 1)


def test_a_udp_port_without_a_program_is_open_when_our_own_socket_hears_the_token(
    free_port: int, responder: EchoClient
) -> None:
    found = check_port(udp(free_port), Endpoint(None, free_port), responder)
    assert (found.verdict, found.how) == (Verdict.OPEN, "a responder outside")


def test_a_udp_port_with_a_program_is_unknown_for_only_the_program_can_hear(responder: EchoClient) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.bind(("", 0))
        port = program.getsockname()[1]
        found = check_port(udp(port), Endpoint(None, port), responder)
    assert found.verdict is Verdict.UNKNOWN
    assert found.steps[-1] == "from outside: sent, cannot be heard"


def test_a_port_that_listens_on_loopback_only_is_closed_before_anything_is_sent(responder: EchoClient) -> None:
    only = ListeningSocket(Protocol.TCP, HERE, 25565, "java (1)")
    found = check_port(tcp(25565), Endpoint(HERE, 25565), responder, sockets=lambda _: (only,))
    assert (found.verdict, found.by, len(found.steps)) == (Verdict.CLOSED, Blame.HOST, 1)


NEIGHBOURING = IPv4Address("127.0.0.9")


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        (IPv4Address("10.9.9.9"), Endpoint(HERE, 25565, client=HERE)),
        (IPv6Address("2001:db8::1"), Endpoint(HERE, 25565)),
        (IPv6Address("2001:db8::1"), Endpoint(None, 25565, client=HERE)),
        (ANYWHERE, Endpoint(IPv6Address("2001:db8::1"), 25565)),
    ],
)
def test_a_program_at_an_address_that_the_port_does_not_lead_to_is_told(
    address: IPv4Address | IPv6Address, endpoint: Endpoint
) -> None:
    only = ListeningSocket(Protocol.TCP, address, 25565, "java (1)")
    found = check_port(tcp(25565), endpoint, Told(reachable=False), sockets=lambda _: (only,), hairpin=False)
    assert (found.verdict, found.by) == (Verdict.CLOSED, Blame.HOST)
    assert f"java (1) listens on {address} only" in found.reason


RELAYED = Endpoint(IPv4Address("11.22.33.1"), 4444, client=HERE, relayed=True)


@pytest.mark.parametrize("address", [HERE, ANYWHERE])
def test_a_program_that_portmaps_own_relay_reaches_is_open(address: IPv4Address | IPv6Address) -> None:
    only = ListeningSocket(Protocol.TCP, address, 25565, "java (1)")
    told = Told(reachable=True, address=IPv4Address("11.22.33.1"))
    found = check_port(tcp(25565), RELAYED, told, sockets=lambda _: (only,), hairpin=False)
    assert (found.verdict, found.reason) == (Verdict.OPEN, "reached by a responder outside")


@pytest.mark.parametrize("address", [IPv4Address("192.168.1.20"), IPv6Address("::1")])
def test_a_program_that_portmaps_own_relay_does_not_reach_is_closed_though_the_relay_takes_the_connection(
    address: IPv4Address | IPv6Address,
) -> None:
    only = ListeningSocket(Protocol.TCP, address, 25565, "java (1)")
    told = Told(reachable=True, address=IPv4Address("11.22.33.1"))
    found = check_port(tcp(25565), RELAYED, told, sockets=lambda _: (only,), hairpin=False)
    assert (found.verdict, found.by) == (Verdict.CLOSED, Blame.HOST)
    assert (
        found.reason == f"java (1) listens on {address} only, but the port leads to 127.0.0.1: let it listen there, too"
    )


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("ipv6_only", [True, False])
def test_a_program_that_listens_on_ipv6_only_is_told_apart_from_one_that_takes_both(
    kind: socket.SocketKind, *, ipv6_only: bool
) -> None:
    with socket.socket(socket.AF_INET6, kind) as program:
        program.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, ipv6_only)
        program.bind(("::", 0))
        if kind is socket.SOCK_STREAM:
            program.listen()
        port = program.getsockname()[1]
        request = tcp(port) if kind is socket.SOCK_STREAM else udp(port)
        found = check_port(request, Endpoint(HERE, port), None, hairpin=False)
    assert ("listens on :: only, but the port leads to an IPv4 address" in found.reason) is ipv6_only


def test_the_responder_is_asked_over_the_ip_version_of_the_external_address(service: int) -> None:
    told = Told(reachable=True)
    for address in (HERE, IPv6Address("::1"), None):
        check_port(tcp(service), Endpoint(address, service), told, hairpin=False)
    assert told.versions == [4, 6, None]


def test_a_responder_without_an_address_of_that_ip_version_is_told_and_decides_nothing(service: int) -> None:
    found = check_port(tcp(service), Endpoint(HERE, service), EchoClient.parse("http://[::1]:9"), hairpin=False)
    assert found.verdict is Verdict.UNKNOWN
    assert "cannot be reached over IPv4" in found.reason


def test_a_port_that_something_else_answers_is_not_this_hosts(free_port: int) -> None:
    found = check_port(tcp(free_port), Endpoint(HERE, free_port), Told(reachable=True), hairpin=False)
    assert found.verdict is Verdict.UNKNOWN
    assert "it was not this host" in found.reason


def test_a_responder_that_is_gone_is_told_and_decides_nothing(service: int) -> None:
    found = check_port(tcp(service), Endpoint(None, service), EchoClient.parse("http://127.0.0.1:9"))
    assert found.verdict is Verdict.UNKNOWN
    assert "http://127.0.0.1:9" in found.reason


def test_a_responder_that_was_asked_too_often_is_asked_again(service: int) -> None:
    with running(Responder()) as port:
        client = EchoClient.parse(f"http://127.0.0.1:{port}")
        client.check(service, Protocol.TCP)
        assert check_port(tcp(service), Endpoint(None, service), client).open


@dataclass
class Busy(Told):
    """A responder that another program of this address asks as well: it refuses so many times before it answers."""

    refusals: int = 0

    def check(self, port: int, protocol: Protocol, token: str = "", version: int | None = None) -> EchoAnswer:
        answer = super().check(port, protocol, token, version)
        if len(self.versions) <= self.refusals:
            raise Refused("once a second", code=429)
        return answer


@pytest.mark.parametrize(
    ("refusals", "verdict"), [(1, Verdict.OPEN), (PATIENCE, Verdict.OPEN), (PATIENCE + 1, Verdict.UNKNOWN)]
)
def test_a_responder_that_others_of_this_address_ask_too_is_asked_a_few_times(
    service: int, refusals: int, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "AGAIN", 0.0)
    responder = Busy(reachable=True, refusals=refusals)
    assert check_port(tcp(service), Endpoint(HERE, service), responder, hairpin=False).verdict is verdict
