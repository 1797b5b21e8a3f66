"""The publishers `http` and `https`, against a site on loopback."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from tests.wire.certificates import fingerprint, self_signed, tls_context
from tests.wire.website import WebSite

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError, Refused, SpecError
from portmap.wire.site import Site
from portmap_publish import HttpPublisher, HttpsPublisher


def answer(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()


def test_the_state_is_posted_as_json(site: WebSite, state: Endpoints) -> None:
    HttpPublisher.from_argument(f"//127.0.0.1:{site.port}/hook?token=1").converge(state)
    (request,) = site.requests
    assert request.line == "POST /hook?token=1 HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["host"] == f"127.0.0.1:{site.port}"
    assert json.loads(request.body) == state.to_dict()


def test_a_whole_url_is_as_good(site: WebSite, state: Endpoints) -> None:
    HttpPublisher.from_argument(f"{site.url}/hook").converge(state)
    assert [request.line for request in site.requests] == ["POST /hook HTTP/1.1"]


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "202 Accepted", "204 No Content"])
def test_any_status_of_success_will_do(status: str, site: WebSite, state: Endpoints) -> None:
    site.answer = answer(status)
    HttpPublisher.from_argument(site.url).converge(state)


@pytest.mark.parametrize("status", ["301 Moved", "307 Temporary Redirect", "400 Bad Request", "500 Oops"])
def test_any_other_is_an_error_and_no_redirect_is_followed(status: str, site: WebSite, state: Endpoints) -> None:
    site.answer = answer(status, "Location: /elsewhere")
    with pytest.raises(Refused, match=f"answered with HTTP status {status[:3]}") as caught:
        HttpPublisher.from_argument(site.url).converge(state)
    assert caught.value.code == int(status[:3])
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("-5", 0), ("soon", 0), ("Wed, 99 Foo 2020", 0), ("9" * 400, 999_999_999), ("", 0)],
)
def test_a_site_that_asks_for_peace_is_heard(header: str, seconds: float, site: WebSite, state: Endpoints) -> None:
    site.answer = answer("429 Too Many Requests", f"Retry-After: {header}")
    with pytest.raises(Refused) as caught:
        HttpPublisher.from_argument(site.url).converge(state)
    assert caught.value.retry_after == seconds


def test_a_site_may_ask_for_peace_until_a_date(site: WebSite, state: Endpoints) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    site.answer = answer("503 Busy", f"Retry-After: {until}")
    with pytest.raises(Refused) as caught:
        HttpPublisher.from_argument(site.url).converge(state)
    assert 90 < caught.value.retry_after <= 100


def test_the_user_of_the_url_is_named_to_the_site(site: WebSite, state: Endpoints) -> None:
    HttpPublisher.from_argument(f"//me:p%40ss%3A@127.0.0.1:{site.port}/").converge(state)
    kind, _, words = site.requests[0].headers["authorization"].partition(" ")
    assert (kind, base64.b64decode(words)) == ("Basic", b"me:p@ss:")


def test_no_secret_of_the_url_is_in_its_name_or_in_an_error(state: Endpoints) -> None:
    publisher = HttpPublisher.from_argument("//me:word@127.0.0.1:1/hooks/token?key=token")
    with pytest.raises(PortmapError) as caught:
        publisher.converge(state)
    told = f"{publisher} {caught.value} {Site.parse('http://me:word@h/token')!r}"
    assert not [secret for secret in ("word", "token", "me:") if secret in told]


@pytest.mark.parametrize("argument", [None, "", "//", "//user:word@", "ftp://h/", "//h:0/", "//h:99999/", "//h/ü", "h"])
def test_what_is_no_url_is_the_users_mistake(argument: str | None) -> None:
    with pytest.raises(SpecError) as caught:
        HttpPublisher.from_argument(argument)
    assert "word" not in str(caught.value)


# TLS ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls") / "site.pem")


@pytest.fixture
def safe_site(certificate: Path) -> Iterator[WebSite]:
    with WebSite(context=tls_context(certificate)) as running:
        yield running


def test_by_tls_it_speaks_to_a_site_that_is_trusted(safe_site: WebSite, certificate: Path, state: Endpoints) -> None:
    HttpsPublisher(Site.parse(f"{safe_site.url}/hook#ca={certificate}")).converge(state)
    assert [request.line for request in safe_site.requests] == ["POST /hook HTTP/1.1"]


def test_by_tls_it_speaks_to_no_other(safe_site: WebSite, state: Endpoints) -> None:
    with pytest.raises(PortmapError, match="has a certificate that is not trusted"):
        HttpsPublisher.from_argument(f"//127.0.0.1:{safe_site.port}/").converge(state)
    assert not [request for request in safe_site.requests if request.line]


def test_a_pinned_certificate_is_trusted(safe_site: WebSite, certificate: Path, state: Endpoints) -> None:
    HttpsPublisher.from_argument(f"//127.0.0.1:{safe_site.port}/#pin={fingerprint(certificate)}").converge(state)
    assert [request.line for request in safe_site.requests] == ["POST / HTTP/1.1"]


def test_another_certificate_than_the_pinned_one_gets_nothing(safe_site: WebSite, state: Endpoints) -> None:
    publisher = HttpsPublisher.from_argument(f"//me:word@127.0.0.1:{safe_site.port}/#pin={'00' * 32}")
    with pytest.raises(PortmapError, match="not trusted: it is not the one of #pin"):
        publisher.converge(state)
    assert not [request for request in safe_site.requests if request.line]


@pytest.mark.parametrize("content", [None, "nothing", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"])
def test_a_certificate_file_that_cannot_be_used_is_an_error(
    content: str | None, tmp_path: Path, safe_site: WebSite, state: Endpoints
) -> None:
    if content is not None:
        (tmp_path / "ca").write_text(content)
    with pytest.raises(PortmapError, match=r"the file of #ca cannot be used: (No such|it holds no certificate)"):
        HttpsPublisher.from_argument(f"//127.0.0.1:{safe_site.port}/#ca={tmp_path}/ca").converge(state)


def test_the_error_for_an_unknown_certificate_names_both_options(safe_site: WebSite, state: Endpoints) -> None:
    with pytest.raises(PortmapError, match=r"put #ca=FILE .* or #pin=SHA256"):
        HttpsPublisher.from_argument(f"//127.0.0.1:{safe_site.port}/").converge(state)


def test_https_to_a_site_without_tls_is_told(site: WebSite, state: Endpoints) -> None:
    with pytest.raises(PortmapError, match="speaks no TLS"):
        HttpsPublisher.from_argument(f"//127.0.0.1:{site.port}/").converge(state)


def test_the_name_of_the_publisher_is_the_scheme() -> None:
    assert str(HttpsPublisher.from_argument("//example.org/x")) == "https://example.org"
    assert str(HttpPublisher.from_argument("//[::1]:8080/x")) == "http://[::1]:8080"
