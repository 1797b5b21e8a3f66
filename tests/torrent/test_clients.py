"""What all three publishers promise, each against a small web interface of its kind."""

import pytest
from tests.torrent.conftest import KINDS, at
from tests.torrent.fakes import PASSWORD, Fake, FakeDeluge, FakeQBittorrent

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError, Refused, SpecError
from portmap_torrent import Deluge, QBittorrent
from portmap_torrent.client import TorrentClient


def test_the_client_listens_on_the_open_port_and_chooses_none_itself(client: TorrentClient, fake: Fake) -> None:
    client.converge(at(43210))
    assert fake.port == 43210
    assert [value for value in fake.settings.values() if value is True] == ([True] if "dht" in fake.settings else [])


def test_what_holds_is_not_written_again(client: TorrentClient, fake: Fake) -> None:
    for _ in range(3):
        client.converge(at(43210))
    assert fake.writes == 1


def test_a_client_that_was_restarted_with_old_settings_is_told_again(client: TorrentClient, fake: Fake) -> None:
    client.converge(at(43210))
    fake.settings |= fake.first
    client.converge(at(43210))
    assert fake.port == 43210


def test_without_a_port_the_client_keeps_the_one_it_has(client: TorrentClient, fake: Fake) -> None:
    client.converge(at(43210))
    client.converge(Endpoints())
    assert (fake.port, fake.writes) == (43210, 1)


def test_a_client_that_says_yes_and_does_nothing_is_an_error(client: TorrentClient, fake: Fake) -> None:
    fake.stubborn = True
    with pytest.raises(PortmapError, match="did not take port 43210"):
        client.converge(at(43210))


def test_a_client_that_is_not_up_yet_is_an_error_until_it_is(client: TorrentClient, fake: Fake) -> None:
    fake.close()
    with pytest.raises(PortmapError, match="cannot be reached"):
        client.converge(at(43210))
    fake.start()
    client.converge(at(43210))
    assert fake.port == 43210


def test_a_wrong_password_is_not_tried_so_soon_again(client: TorrentClient, fake: Fake) -> None:
    fake.password = "another"  # noqa: S105
    with pytest.raises(Refused, match="refuses the user name or password") as caught:
        client.converge(at(43210))
    assert caught.value.retry_after == 900
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b"{}", b'{"result": 5}', b'{"error": 5}', b"\xff"])
def test_an_answer_that_makes_no_sense_is_an_error(body: bytes, client: TorrentClient, fake: Fake) -> None:
    fake.broken = body
    with pytest.raises(PortmapError):
        client.converge(at(43210))


def test_a_mapping_may_be_named(kind: type[TorrentClient], fake: Fake) -> None:
    client = kind.from_argument(f"{fake.url()}?name=bt")
    client.converge(at(1111, name="web"))
    client.converge(at(2222, name="bt"))
    assert (fake.port, fake.writes) == (2222, 1)


def test_its_name_has_no_secret(client: TorrentClient, kind: type[TorrentClient], fake: Fake) -> None:
    assert str(client) == f"{kind.title} {fake.url().replace(fake.url().partition('@')[0], 'http://').replace('@', '')}"


@pytest.mark.parametrize("tail", ["?", "?x=1", "?name", "?name=a&name=b", "#x"])
def test_what_is_no_option_is_the_users_mistake(tail: str, kind: type[TorrentClient]) -> None:
    if tail == "?":
        kind.from_argument(f"http://u:word@h{tail}")
        return
    with pytest.raises(SpecError, match=kind.spec) as caught:
        kind.from_argument(f"http://u:word@h{tail}")
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("argument", [None, "", "//h", "h:1", "ftp://h", "http://h:0"])
def test_what_is_no_url_is_the_users_mistake(argument: str | None, kind: type[TorrentClient]) -> None:
    with pytest.raises(SpecError, match=f"{kind.spec}:http://"):
        kind.from_argument(argument)


def test_a_page_below_another_is_found_there(kind: type[TorrentClient], fake: Fake) -> None:
    client = kind.from_argument(f"{fake.url()}/below/")
    with pytest.raises(PortmapError):  # the small interfaces live at the top
        client.call("/x", b"{").json()
    assert client.site.path == "/below/"


def test_every_kind_is_here() -> None:
    assert set(KINDS) == set(TorrentClient.__subclasses__())


# One client's own -------------------------------------------------------------------------------------------------


def test_qbittorrent_may_let_this_host_in_without_a_user() -> None:
    with FakeQBittorrent() as fake:
        client = QBittorrent.from_argument(fake.url().replace(fake.url().partition("@")[0] + "@", "http://"))
        with pytest.raises(Refused, match="write qbittorrent:http://USER:PASSWORD@HOST:8080"):
            client.converge(at(43210))


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
