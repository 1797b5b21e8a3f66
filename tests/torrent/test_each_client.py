"""What one torrent publisher alone does, and what this host's socket table says of a client."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from tests.torrent.conftest import at
from tests.torrent.fakes import FakeDeluge, FakeQBittorrent, FakeTransmission

import portmap_torrent.client as client_module
from portmap.errors import PortmapError, Refused, SpecError
from portmap.model import Protocol
from portmap.network.listening_sockets import ListeningSocket
from portmap_torrent import Deluge, QBittorrent, Transmission

# One client's own


def test_qbittorrent_may_let_this_host_in_without_a_user() -> None:
    with FakeQBittorrent() as fake:
        client = QBittorrent.from_argument(fake.url().replace(fake.url().partition("@")[0] + "@", "http://"))
        with pytest.raises(Refused, match="write qbittorrent:http://USER:PASSWORD@HOST:8080"):
            client.converge(at(43210))


@pytest.mark.parametrize("version", [4, 5])
def test_qbittorrent_of_either_version_lets_us_in(version: int) -> None:
    with FakeQBittorrent() as fake:
        fake.version = version
        QBittorrent.from_argument(fake.url()).converge(at(43210))
        assert (fake.port, fake.logins) == (43210, 1)


@pytest.mark.parametrize("version", [4, 5])
def test_qbittorrent_of_either_version_refuses_a_wrong_password_once(version: int) -> None:
    with FakeQBittorrent() as fake:
        fake.version = version
        with pytest.raises(Refused, match="refuses the user name or password") as caught:
            QBittorrent.from_argument(fake.url(password="wrong")).converge(at(43210))  # noqa: S106
        assert (caught.value.retry_after, fake.logins) == (900, 1)


@pytest.mark.parametrize("version", [4, 5])
def test_qbittorrent_that_was_restarted_is_logged_in_to_again(version: int) -> None:
    with FakeQBittorrent() as fake:
        fake.version = version
        client = QBittorrent.from_argument(fake.url())
        client.converge(at(43210))
        fake.session = "new"
        client.converge(at(43211))
        assert (fake.port, fake.logins) == (43211, 2)


def test_qbittorrent_takes_an_api_key_without_a_login() -> None:
    with FakeQBittorrent() as fake:
        fake.key = "qbt_0123456789"
        QBittorrent.from_argument(fake.url(user="", password=fake.key)).converge(at(43210))
        assert (fake.port, fake.logins) == (43210, 0)


def test_a_wrong_api_key_is_told_and_not_tried_so_soon_again() -> None:
    with FakeQBittorrent() as fake:
        fake.key = "qbt_0123456789"
        with pytest.raises(Refused, match="HTTP status 403") as caught:
            QBittorrent.from_argument(fake.url(user="", password="qbt_wrong")).converge(at(43210))  # noqa: S106
        assert (caught.value.retry_after, fake.logins) == (900, 0)
        assert "qbt_" not in str(caught.value)


def test_a_ban_is_told_in_qbittorrents_words() -> None:
    with FakeQBittorrent() as fake:
        fake.banned = True
        with pytest.raises(Refused, match="banned after too many failed authentication attempts") as caught:
            QBittorrent.from_argument(fake.url()).converge(at(43210))
        assert caught.value.retry_after == 900


def test_a_host_name_that_qbittorrent_does_not_take_is_told_as_such() -> None:
    with FakeQBittorrent() as fake:
        fake.own_name = False
        with pytest.raises(
            Refused, match=r"does not take '127.0.0.1:\d+' for its own name: add it to 'Server domains'"
        ):
            QBittorrent.from_argument(fake.url()).converge(at(43210))
        assert fake.logins == 0


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("", "/transmission/rpc"),
        ("/", "/transmission/rpc"),
        ("/transmission", "/transmission/rpc"),
        ("/transmission/", "/transmission/rpc"),
        ("/transmission/rpc", "/transmission/rpc"),
        ("/transmission/rpc/", "/transmission/rpc"),
        ("/transmission/web/", "/transmission/rpc"),
        ("/transmission/web/index.html", "/transmission/rpc"),
        ("/other/rpc", "/other/rpc"),
        ("/other/web/", "/other/rpc"),
        ("/rpc", "/rpc"),
        ("/below", "/below/transmission/rpc"),
        ("/below/transmission/web/", "/below/transmission/rpc"),
    ],
)
def test_transmission_is_found_by_every_url_that_people_paste(written: str, path: str) -> None:
    with FakeTransmission() as fake:
        fake.rpc = path
        Transmission.from_argument(f"{fake.url()}{written}").converge(at(43210))
        assert fake.port == 43210


def test_a_transmission_that_is_elsewhere_is_told_with_the_remedy() -> None:
    with FakeTransmission() as fake:
        fake.rpc = "/other/rpc"
        with pytest.raises(Refused, match=r"404 \('404: Not Found'\): write the URL up to and with its /rpc"):
            Transmission.from_argument(fake.url()).converge(at(43210))


def test_deluge_that_listens_elsewhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LISTEN_WAIT", 0.0)
    with FakeDeluge() as fake:
        fake.heard = 6881
        with pytest.raises(
            PortmapError, match=r"has port 43210 in its settings, but does not listen on it: .* on 6881"
        ):
            Deluge.from_argument(fake.url()).converge(at(43210))


# What this host's socket table tells about a client


WEB = ListeningSocket(Protocol.TCP, IPv4Address("127.0.0.1"), 8080, "qbittorrent-nox (7)")


def obstacle(monkeypatch: pytest.MonkeyPatch, *sockets: ListeningSocket, host: str = "127.0.0.1") -> str | None:
    monkeypatch.setattr(client_module, "listening", lambda _: sockets)
    return QBittorrent.from_argument(f"http://{host}:8080").obstacle(43210)


def test_a_client_of_this_host_that_listens_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert obstacle(monkeypatch, WEB, replace(WEB, port=43210)) is None


def test_a_client_of_this_host_that_does_not_listen_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing does" in str(obstacle(monkeypatch, WEB))
    assert "nothing does" in str(obstacle(monkeypatch, WEB, replace(WEB, port=43210, protocol=Protocol.UDP)))


def test_a_client_that_listens_by_ipv6_only_does_not_get_what_the_gateway_forwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_ipv6 = replace(WEB, port=43210, address=IPv6Address("::1"))
    assert "nothing does" in str(obstacle(monkeypatch, WEB, by_ipv6))
    assert obstacle(monkeypatch, WEB, replace(by_ipv6, address=IPv6Address("::"))) is None


def test_another_program_on_the_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert obstacle(monkeypatch, WEB, replace(WEB, port=43210, program="nc (9)")) == "nc (9) does"


@pytest.mark.parametrize("program", ["docker-proxy (1)", "rootlessport (1)", "nginx (1)", ""])
def test_a_client_that_may_be_in_a_container_is_not_judged(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert obstacle(monkeypatch, replace(WEB, program=program)) is None


def test_a_client_of_another_host_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert obstacle(monkeypatch, WEB, host="nas.lan") is None


def test_deluge_wants_a_password() -> None:
    with pytest.raises(SpecError, match="'deluge' at first"):
        Deluge.from_argument("http://127.0.0.1:8112")


def test_deluge_connects_its_web_interface_to_its_daemon() -> None:
    with FakeDeluge() as fake:
        Deluge.from_argument(fake.url()).converge(at(43210))
        assert fake.connected


@pytest.mark.parametrize("hosts", [[], None, [5], [[]]])
def test_a_deluge_without_a_daemon_is_an_error(hosts: object) -> None:
    with FakeDeluge() as fake:
        fake.hosts = hosts
        with pytest.raises(PortmapError, match="knows no daemon"):
            Deluge.from_argument(fake.url()).converge(at(43210))


def test_a_deluge_whose_daemon_is_down_is_an_error() -> None:
    with FakeDeluge() as fake:
        fake.hosts = [["another"]]
        with pytest.raises(PortmapError, match="is not connected to its daemon"):
            Deluge.from_argument(fake.url()).converge(at(43210))
