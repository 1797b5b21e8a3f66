"""The STUN backend against simulated servers on loopback."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from tests.stopwatch import Stopwatch

import portmap
from portmap.backends.nat import Nat
from portmap.errors import Garbled, GatewayTimeout, NATError, NoGateway, Refused
from portmap.model import Kind, Protocol
from portmap.testing import StunServer
from portmap.wire import Peer
from portmap_stun import Server, Stun

SHORT = 0.4  # seconds, where no answer comes
LONG = 5.0  # seconds, that no test here waits out
NAMED = Server("stun.example.org")

Serve = Callable[..., StunServer]
Ask = Callable[..., Stun]


def at(*peers: StunServer | Peer) -> Callable[[Server], Sequence[Peer]]:
    """A name server that knows one name."""
    found = [(peer.address, peer.port) if isinstance(peer, StunServer) else peer for peer in peers]
    return lambda _: found


# what it is


def test_it_declares_that_it_opens_nothing_and_is_asked_by_name_only() -> None:
    assert (Stun.kind, Stun.opens_ports, Stun.preference) == (Kind.STATIC, False, None)


def test_it_refuses_to_map_and_says_what_to_try() -> None:
    with pytest.raises(Refused, match=r"opens no port: forward .* extip:ADDRESS, or ask the gateway with pcp"):
        Nat(Stun(), "stun").add_mapping(Protocol.TCP, 0, 80, "", 600)


def test_there_is_nothing_to_shut() -> None:
    Nat(Stun(), "stun").delete_mapping(Protocol.TCP, 80, 80)


# one server


@pytest.mark.parametrize("quirks", [{}, {"fingerprint": True}, {"rfc3489": True}, {"stray": True}, {"extra": 0x9999}])
def test_a_server_tells_our_address(serve: Serve, ask: Ask, quirks: dict[str, int]) -> None:
    assert str(ask(serve("1.2.3.4", **quirks)).external_ip()) == "1.2.3.4"


def test_a_server_tells_our_ipv6_address(serve: Serve, ask: Ask) -> None:
    assert str(ask(serve("2606:4700::1", at="::1")).external_ip()) == "2606:4700::1"


def test_a_spec_finds_the_server(serve: Serve) -> None:
    for address in ("127.0.0.1", "::1"):
        assert str(portmap.load(serve("1.2.3.4", at=address).spec).external_ip()) == "1.2.3.4"


def test_a_request_that_is_lost_is_sent_again(serve: Serve, ask: Ask) -> None:
    server = serve(lost_first=1)
    ask(server).external_ip()
    assert server.asked == 2


def test_a_server_is_asked_anew_at_every_call(serve: Serve, ask: Ask) -> None:
    server = serve("1.2.3.4")
    stun = ask(server)
    stun.external_ip()
    server.external_ip = "5.6.7.8"
    assert str(stun.external_ip()) == "5.6.7.8"


@pytest.mark.parametrize(
    ("quirks", "error"),
    [
        ({"silent": True}, GatewayTimeout),
        ({"from_other_port": True}, GatewayTimeout),
        ({"garbage": True}, Garbled),
        ({"truncated": True}, Garbled),
        ({"bad_fingerprint": True}, Garbled),
        ({"extra": 0x7777}, Garbled),
    ],
)
def test_a_server_that_is_no_use_is_given_up_in_time(
    serve: Serve, ask: Ask, quirks: dict[str, int], error: type[NATError]
) -> None:
    with Stopwatch() as watch, pytest.raises(error):
        ask(serve(**quirks), timeout=SHORT).external_ip()
    assert watch.seconds < SHORT + 0.5


def test_silence_is_told_in_the_same_words_every_time(serve: Serve, ask: Ask) -> None:
    server = serve(silent=True)
    stun = ask(server, timeout=SHORT)
    for _ in range(2):
        with pytest.raises(GatewayTimeout, match=f"^no STUN answer from 127.0.0.1:{server.port} within 0.4 s$"):
            stun.external_ip()


def test_a_refusal_is_told_with_its_code_and_words(serve: Serve, ask: Ask) -> None:
    with pytest.raises(Refused, match="refuses to tell: 500 Server Error: try another") as caught:
        ask(serve(error=500)).external_ip()
    assert (caught.value.code, caught.value.text) == (500, "Server Error")


def test_a_closed_port_is_told_at_once(closed_port: int) -> None:
    with Stopwatch() as watch, pytest.raises(NoGateway, match="no program speaks STUN at"):
        Stun([Server("127.0.0.1", closed_port)]).external_ip()
    assert watch.seconds < 1


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])  # noqa: S104  # said, not bound
def test_an_impossible_address_is_not_believed(serve: Serve, ask: Ask, address: str) -> None:
    with pytest.raises(Garbled, match="which no host can have"):
        ask(serve(address), timeout=SHORT).external_ip()


def test_a_private_address_is_told_as_it_is(serve: Serve, ask: Ask) -> None:
    assert str(ask(serve("10.1.2.3")).external_ip()) == "10.1.2.3"


# several servers


@pytest.mark.parametrize("quirks", [{"silent": True}, {"error": 500}, {"garbage": True}, {"slow": 3.0}])
def test_one_good_server_is_enough(serve: Serve, ask: Ask, quirks: dict[str, float]) -> None:
    with Stopwatch() as watch:
        assert str(ask(serve("6.6.6.6", **quirks), serve("1.2.3.4")).external_ip()) == "1.2.3.4"
    assert watch.seconds < 1


def test_all_are_asked_at_once(serve: Serve, ask: Ask) -> None:
    servers = [serve(slow=0.3) for _ in range(3)]
    with Stopwatch() as watch:
        ask(*servers).external_ip()
    assert watch.seconds < 0.8
    assert [server.asked for server in servers] == [1, 1, 1]


def test_servers_that_disagree_are_named_in_the_log_once(
    serve: Serve, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = serve("1.2.3.4"), serve("5.6.7.8")
    stun = ask(first, second)
    with caplog.at_level(logging.WARNING, "portmap.stun"):
        told = {str(stun.external_ip()) for _ in range(5)}
    assert [record.getMessage() for record in caplog.records] == [
        "the servers disagree on our address: "
        + ", ".join(sorted([f"127.0.0.1:{first.port} sees 1.2.3.4", f"127.0.0.1:{second.port} sees 5.6.7.8"]))
    ]
    assert len(told) == 1, "and the answer does not alternate"


def test_servers_that_agree_are_no_news(serve: Serve, ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    ask(serve(), serve()).external_ip()
    assert not caplog.records


def test_ipv4_is_preferred_to_ipv6_that_comes_in_together(serve: Serve, ask: Ask) -> None:
    stun = ask(serve("2606:4700::1", at="::1"), serve("1.2.3.4"))
    assert {str(stun.external_ip()) for _ in range(5)} == {"1.2.3.4"}


def test_the_evidence_tells_whose_word_it_is(serve: Serve, ask: Ask) -> None:
    server = serve("1.2.3.4")
    stun = ask(server)
    assert stun.evidence() == ()
    stun.external_ip()
    assert stun.evidence() == (f"127.0.0.1:{server.port} sees 1.2.3.4",)


def test_where_no_server_helps_everyone_is_named(serve: Serve, ask: Ask, closed_port: int) -> None:
    silent = serve(silent=True)
    stun = Stun([Server("127.0.0.1", closed_port), Server("127.0.0.1", silent.port)], timeout=SHORT)
    with pytest.raises(
        NoGateway, match=f"no program speaks STUN at .*:{closed_port}.*; no STUN answer from .*{silent.port}"
    ):
        stun.external_ip()


def test_a_refusal_says_more_than_silence(serve: Serve, ask: Ask) -> None:
    with pytest.raises(Refused):
        ask(serve(silent=True), serve(error=500), timeout=SHORT).external_ip()


# names


def test_a_name_is_looked_up_at_every_call(serve: Serve) -> None:
    found = [[(server.address, server.port)] for server in (serve("1.2.3.4"), serve("5.6.7.8"))]
    stun = Stun([NAMED], look_up=lambda _: found.pop(0))
    assert [str(stun.external_ip()) for _ in range(2)] == ["1.2.3.4", "5.6.7.8"]


def test_the_system_knows_localhost_without_leaving_this_host(serve: Serve) -> None:
    assert str(Stun([Server("localhost", serve("1.2.3.4").port)]).external_ip()) == "1.2.3.4"


def test_a_name_that_the_system_does_not_know_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    with pytest.raises(NoGateway, match=r"stun\.example\.org has no address \(Name or service not known\)"):
        Stun([NAMED]).external_ip()


def test_ipv6_is_asked_where_ipv4_leads_nowhere(serve: Serve, closed_port: int) -> None:
    stun = Stun([NAMED], look_up=at(("127.0.0.1", closed_port), serve("2606:4700::1", at="::1")))
    assert str(stun.external_ip()) == "2606:4700::1"


def test_ipv6_is_not_asked_where_ipv4_is_merely_silent(serve: Serve) -> None:
    sixth = serve("2606:4700::1", at="::1")
    with pytest.raises(GatewayTimeout):
        Stun([NAMED], timeout=SHORT, look_up=at(serve(silent=True), sixth)).external_ip()
    assert sixth.asked == 0


def test_a_lookup_that_hangs_is_not_waited_for_and_not_begun_twice() -> None:
    begun, release = [], threading.Event()

    def hang(server: Server) -> list[Peer]:
        begun.append(server)
        release.wait(LONG)
        return []

    stun = Stun([NAMED], timeout=0.05, look_up=hang)
    for _ in range(3):
        with pytest.raises(GatewayTimeout, match=r"no STUN answer from stun\.example\.org:3478 within 0\.05 s"):
            stun.external_ip()
    release.set()
    assert begun == [NAMED]


def test_one_lookup_that_hangs_does_not_hold_up_the_others(serve: Serve) -> None:
    good, release = serve("1.2.3.4"), threading.Event()

    def look_up(server: Server) -> Sequence[Peer]:
        if server == NAMED:
            release.wait(LONG)
        return at(good)(server)

    stun = Stun([NAMED, Server("127.0.0.1", good.port)], look_up=look_up)
    assert str(stun.external_ip()) == "1.2.3.4"
    release.set()


# in a session, and from the command line


def test_a_session_announces_the_address_and_says_that_no_port_is_open(serve: Serve) -> None:
    server = serve("1.2.3.4")
    with portmap.open(server.spec, ["30303/both"]) as session:
        events = session.events()
        told = [next(events).to_dict() for _ in range(3)]
        with pytest.raises(Refused, match="opens no port"):
            session.wait(0)
    assert [it["event"] for it in told] == ["external_ip.changed", *["mapping.failed"] * 2]
    assert told[0]["reason"] == f"127.0.0.1:{server.port} sees 1.2.3.4"
    assert (str(session.record.ip), session.record.tcp, session.record.udp) == ("1.2.3.4", None, None)


def test_a_session_stops_at_once_while_the_server_is_silent(serve: Serve) -> None:
    server = serve(silent=True)
    session = portmap.open(server.spec)
    while not server.asked:
        time.sleep(0.005)
    with Stopwatch() as watch:
        session.close()
    assert watch.seconds < 0.1


def test_the_command_prints_the_address(serve: Serve) -> None:
    command = [sys.executable, "-m", "portmap", "ip", "--nat", serve("1.2.3.4").spec]
    assert subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout == "1.2.3.4\n"
