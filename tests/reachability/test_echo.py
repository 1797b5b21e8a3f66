"""EchoClient: what a responder's answer means. `ECHOIP` has the shape of mpolden/echoip's PortResponse."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from tests.reachability.test_responder import running
from tests.wire.website import WebSite

from portmap.errors import Garbled, PortmapError, Refused, SpecError
from portmap.model import Protocol
from portmap.reachability.echo import EchoAnswer, EchoClient
from portmap.reachability.responder.server import Responder

ECHOIP = {"ip": "11.22.33.1", "port": 25565, "reachable": True}
OURS = {"ip": "11.22.33.1", "port": 25565, "protocol": "udp", "sent": True}
CLIENT = IPv4Address("11.22.33.1")


@pytest.mark.parametrize("reachable", [True, False])
def test_an_answer_of_echoip_is_understood(reachable: bool) -> None:
    answer = EchoAnswer.parse(ECHOIP | {"reachable": reachable}, 25565, Protocol.TCP)
    assert answer == EchoAnswer(CLIENT, 25565, reachable)


def test_an_ipv4_address_that_is_told_as_ipv6_is_one_of_ipv4() -> None:
    told = EchoAnswer.parse({"ip": "::ffff:11.22.33.44", "port": 25565, "reachable": True}, 25565, Protocol.TCP)
    assert told.address == IPv4Address("11.22.33.44")


def test_where_no_ip_version_is_wanted_ipv4_is_asked_over_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(Responder()) as port, socket.create_server(("::1", port), family=socket.AF_INET6):
        both = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: list(both))
        answer = EchoClient.parse(f"http://echo.example.org:{port}").check(port, Protocol.TCP)
    assert answer.address == IPv4Address("127.0.0.1")


def test_a_datagram_that_was_sent_says_nothing_of_its_arrival() -> None:
    assert EchoAnswer.parse(OURS, 25565, Protocol.UDP) == EchoAnswer(CLIENT, 25565, None)


@pytest.mark.parametrize("content", [ECHOIP, OURS | {"sent": "no"}, OURS | {"protocol": "tcp"}])
def test_a_responder_that_knows_tcp_only_proves_nothing_for_udp(content: object) -> None:
    with pytest.raises(Refused, match="checks TCP only"):
        EchoAnswer.parse(content, 25565, Protocol.UDP)


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "yes",
        7,
        {},
        ECHOIP | {"ip": "here"},
        ECHOIP | {"ip": None},
        ECHOIP | {"ip": 1},
        ECHOIP | {"ip": "::"},
        ECHOIP | {"ip": "224.0.0.1"},
        ECHOIP | {"ip": "fe80::1%\x1b[31m"},
        ECHOIP | {"port": 80},
        ECHOIP | {"port": "25565"},
        ECHOIP | {"port": True},
        ECHOIP | {"reachable": "true"},
        ECHOIP | {"reachable": 1},
        {"ip": "11.22.33.1", "port": 25565},
    ],
)
def test_an_answer_without_sense_is_garbled(content: object) -> None:
    with pytest.raises(Garbled):
        EchoAnswer.parse(content, 25565, Protocol.TCP)


@pytest.fixture
def site() -> Iterator[WebSite]:
    with WebSite() as running:
        yield running


@pytest.mark.parametrize("url", ["", "echo.example.org", "ftp://x/", "http://", "http://h:0/", "http://u:pw@h:x/"])
def test_a_url_without_sense_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(SpecError) as caught:
        EchoClient.parse(url)
    assert "pw" not in str(caught.value)


def test_a_responder_that_is_not_there_is_an_error_of_ours() -> None:
    with pytest.raises(PortmapError):
        EchoClient.parse("http://127.0.0.1:9/").check(25565, Protocol.TCP)


def test_user_and_password_of_the_url_are_sent_and_not_repeated(site: WebSite) -> None:
    client = EchoClient.parse(site.url.replace("//", "//me:secret@"))
    with pytest.raises(PortmapError) as caught:
        client.check(25565, Protocol.TCP)
    assert site.requests[0].headers["authorization"] == "Basic bWU6c2VjcmV0"
    assert "secret" not in str(caught.value)


def test_a_responder_that_wants_a_password_is_told(site: WebSite) -> None:
    site.answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(Refused, match="user and password"):
        EchoClient.parse(site.url).check(25565, Protocol.TCP)


def test_a_responder_that_redirects_is_told(site: WebSite) -> None:
    site.answer = b"HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(Refused, match="it redirects: name the URL that it leads to"):
        EchoClient.parse(site.url).check(25565, Protocol.TCP)


def test_a_datagram_that_the_responder_could_not_send_is_told() -> None:
    with pytest.raises(Refused, match=r"no way to send a datagram to 11\.22\.33\.1"):
        EchoAnswer.parse(OURS | {"sent": False}, 25565, Protocol.UDP)
