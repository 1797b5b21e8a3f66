"""What every torrent publisher promises, against simulated web interfaces."""

import base64
import logging
import re
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.stopwatch import Stopwatch
from tests.torrent.conftest import KINDS, at
from tests.torrent.fakes import PASSWORD, USER, Fake
from tests.wire.certificates import fingerprint, self_signed, tls_context
from tests.wire.website import WebSite

from portmap.endpoints import Endpoints
from portmap.errors import PluginError, PortmapError, Refused, SpecError
from portmap.publishers.runner import _retry_schedule
from portmap.wire.http import BODY_LIMIT
from portmap.wire.site import Site
from portmap_torrent import QBittorrent
from portmap_torrent.client import TorrentClient


def test_the_client_listens_on_the_open_port_and_chooses_none_itself(client: TorrentClient, fake: Fake) -> None:
    client.converge(at(43210))
    assert fake.port == 43210
    assert [value for value in fake.settings.values() if value is True] == ([True] if "dht" in fake.settings else [])


def test_settings_that_are_right_are_not_written_again(client: TorrentClient, fake: Fake) -> None:
    for _ in range(3):
        client.converge(at(43210))
    assert fake.writes == 1


def test_a_client_that_was_restarted_with_old_settings_is_told_again(client: TorrentClient, fake: Fake) -> None:
    client.converge(at(43210))
    fake.settings |= fake.first
    client.converge(at(43210))
    assert fake.port == 43210


def test_without_a_port_the_client_keeps_the_one_it_has(client: TorrentClient, fake: Fake) -> None:
    assert client.converge(at(43210)) == "43210"
    assert client.converge(Endpoints()) == ""
    assert (fake.port, fake.writes) == (43210, 1)


def test_a_client_that_agrees_and_changes_nothing_is_an_error(client: TorrentClient, fake: Fake) -> None:
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
def test_an_unknown_option_is_the_users_mistake(tail: str, kind: type[TorrentClient]) -> None:
    if tail == "?":
        kind.from_argument(f"http://u:word@h{tail}")
        return
    with pytest.raises(SpecError, match=kind.spec) as caught:
        kind.from_argument(f"http://u:word@h{tail}")
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("argument", [None, "", "//h", "h:1", "ftp://h", "http://h:0"])
def test_a_text_that_is_no_url_is_the_users_mistake(argument: str | None, kind: type[TorrentClient]) -> None:
    with pytest.raises(SpecError, match=f"{kind.spec}:http://"):
        kind.from_argument(argument)


def test_a_web_interface_below_a_path_is_found_there(kind: type[TorrentClient], fake: Fake) -> None:
    fake.base = "/below"
    kind.from_argument(f"{fake.url()}/below/?name=bt").converge(at(43210, name="bt"))
    assert fake.port == 43210


def test_without_its_port_the_client_is_not_even_asked(client: TorrentClient, fake: Fake) -> None:
    fake.password = "another"  # noqa: S105
    assert client.converge(Endpoints()) == ""
    assert fake.logins == 0


def test_another_mapping_than_the_named_one_is_no_success(kind: type[TorrentClient], fake: Fake) -> None:
    assert kind.from_argument(f"{fake.url()}?name=bt").converge(at(1111, name="web")) == ""


def test_a_reverse_proxy_with_a_cookie_of_its_own_is_no_obstacle(client: TorrentClient, fake: Fake) -> None:
    fake.proxy = True
    for port in (43210, 43211):
        client.converge(at(port))
    assert fake.port == 43211


def test_a_client_that_sets_ever_new_cookies_makes_neither_memory_nor_requests_grow(
    client: TorrentClient, fake: Fake
) -> None:
    client.converge(at(43210))
    fake.trackers = 20
    for port in (43211, 43212, 43211):
        client.converge(at(port))
    assert fake.port == 43211
    assert fake.most_cookies <= 16
    assert fake.logins <= 1


def test_one_login_is_enough(client: TorrentClient, fake: Fake) -> None:
    for port in (43210, 43211, 43211):
        client.converge(at(port))
    assert fake.logins <= 1


def test_a_client_is_looked_at_twice_a_minute(kind: type[TorrentClient]) -> None:
    assert kind.reassert_every == 30


def test_a_dead_client_is_tried_as_often_as_a_living_one_is_looked_at(client: TorrentClient) -> None:
    schedule = _retry_schedule(client, "x")
    assert (schedule.every, schedule.last) == (30, 30)


@pytest.mark.parametrize("status", [403, 421, 500])
def test_a_refusal_is_told_in_the_clients_own_words(status: int, client: TorrentClient, fake: Fake) -> None:
    fake.refusal = status, b"<h1>Go away</h1>\r\n<p>since it is late.</p>"
    with pytest.raises(Refused, match=rf"HTTP status {status} \('Go away since it is late\.'\)") as caught:
        client.converge(at(43210))
    assert (caught.value.code, caught.value.text) == (status, "Go away since it is late.")


@pytest.mark.parametrize("status", [200, 401, 403, 421, 500])
def test_a_client_that_repeats_the_login_does_not_get_it_into_a_message(
    status: int, client: TorrentClient, fake: Fake, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    fake.refusal = status, f"wrong: {PASSWORD} {quote(PASSWORD, safe='')} {basic}".encode()
    with pytest.raises(PortmapError) as caught:
        client.converge(at(43210))
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert not [secret for secret in (PASSWORD, quote(PASSWORD, safe=""), basic) if secret in told]


def test_no_login_and_no_cookie_is_logged(client: TorrentClient, fake: Fake, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.converge(at(43210))
    fake.password = "another"  # noqa: S105
    with suppress(PortmapError):
        type(client).from_argument(fake.url()).converge(at(43210))
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    secrets = (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), repr(PASSWORD)[1:-1], basic, "abc")
    assert not [secret for secret in secrets if secret in caplog.text]


def test_an_endless_answer_is_hung_up_on(kind: type[TorrentClient]) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"
    with WebSite(answer=chunked, flood=b"x" * 65536) as site:
        with pytest.raises(PortmapError, match="the answer is too long"):
            kind.from_argument(f"http://u:word@127.0.0.1:{site.port}").converge(at(43210))
        assert site.sent < 16 * BODY_LIMIT * 2  # the libraries try twice


@pytest.mark.parametrize("option", ["#ca={}", "#pin={}"])
def test_a_certificate_of_the_users_own_is_trusted(option: str, kind: type[TorrentClient], tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "own.pem")
    fake = type("Secure", (KINDS[kind],), {"context": tls_context(certificate)})()
    named = option.format(certificate if "ca" in option else fingerprint(certificate))
    with fake:
        kind.from_argument(f"{fake.url()}/?name=bt{named}").converge(at(43210, name="bt"))
        assert fake.port == 43210
        with pytest.raises(PortmapError, match=r"is not trusted: .* put #ca=FILE"):
            kind.from_argument(fake.url()).converge(at(43211))


def test_a_silent_client_is_an_error_in_time(kind: type[TorrentClient]) -> None:
    with WebSite(answer=b"") as site:
        client = kind(Site.parse(f"http://u:word@127.0.0.1:{site.port}"), deadline=0.3)
        with Stopwatch() as watch, pytest.raises(PortmapError, match="did not answer within"):
            client.converge(at(43210))
        assert watch.seconds < 3


def test_a_redirect_to_another_host_is_not_followed(kind: type[TorrentClient]) -> None:
    with WebSite() as other, WebSite(answer=redirect_to(other)) as site:
        with pytest.raises(PortmapError, match=r"redirect|HTTP status 302"):
            kind.from_argument(f"http://u:word@127.0.0.1:{site.port}").converge(at(43210))
        assert not other.requests


def redirect_to(site: WebSite) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {site.url}/\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize("character", "/?#%")
def test_the_error_names_the_character_of_a_password(character: str, kind: type[TorrentClient]) -> None:
    with pytest.raises(SpecError, match=re.escape(f"'{character}' cannot stand")) as caught:
        kind.from_argument(f"http://u:se{character}cret@h:8080")
    assert "cret" not in str(caught.value)
    assert quote(character, safe="") in str(caught.value)


def test_a_missing_library_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QBittorrent, "library", "no_such_library")
    with pytest.raises(PluginError, match=r"pip install portmap-nat\[torrent\]"):
        QBittorrent.from_argument("http://h:8080")


def test_each_library_is_imported_only_by_its_publisher() -> None:
    program = """if True:
        import sys
        from portmap_torrent import QBittorrent, Transmission, Deluge
        for kind in (QBittorrent, Transmission, Deluge):
            kind.from_argument("http://u:word@127.0.0.1:1")
        print({"requests", "qbittorrentapi", "transmission_rpc", "http.client"} & sys.modules.keys())
    """
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_every_kind_is_here() -> None:
    assert set(KINDS) == set(TorrentClient.__subclasses__())
