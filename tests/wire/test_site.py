"""Site: a URL taken apart, and errors that repeat nothing of it."""

from pathlib import Path
from urllib.parse import unquote

import pytest

from portmap.errors import SpecError
from portmap.wire.site import Site, Trust

PIN = "ab" * 32


def test_a_url_is_taken_apart() -> None:
    site = Site.parse("https://me:p%40ss@nas.lan:8443/hook?key=1")
    assert (site.scheme, site.host, site.port, site.path) == ("https", "nas.lan", 8443, "/hook?key=1")
    assert (site.user, site.password) == ("me", "p@ss")


def test_only_scheme_host_and_port_are_shown() -> None:
    site = Site.parse("http://user1:word@nas.lan/hook?key=1")
    assert str(site) == "http://nas.lan"
    assert not [secret for secret in ("user1", "word", "hook", "key") if secret in f"{site} {site!r}"]


@pytest.mark.parametrize(
    ("url", "host"), [("http://[::1]:8080/", "[::1]:8080"), ("https://h", "h"), ("HTTP://H:80", "h")]
)
def test_host_and_port_are_spelt_as_in_a_url(url: str, host: str) -> None:
    assert Site.parse(url).authority == host


@pytest.mark.parametrize("password", ["a@b", "a:b", "[a]", "a b", "pässwörd", "\\'\"<>{}|^`$&+,;=!*()~", "%25", "密码"])
def test_a_password_may_have_these_characters_as_they_are(password: str) -> None:
    site = Site.parse(f"http://me:{password}@h:8080/x")
    assert (site.host, site.port, site.path) == ("h", 8080, "/x")
    assert site.password == unquote(password)


@pytest.mark.parametrize(
    ("character", "encoded"), [("/", "%2F"), ("?", "%3F"), ("#", "%23"), ("%", "%25"), ("\t", "%09"), ("\x7f", "%7F")]
)
def test_the_error_names_the_character_of_a_password_and_its_percent_form(character: str, encoded: str) -> None:
    with pytest.raises(SpecError) as caught:
        Site.parse(f"http://me:se{character}cret@h:8080/x")
    shown = f"'{character}'" if character.isprintable() else "a control character"
    assert str(caught.value).startswith(f"{shown} cannot stand in a user name or password as it is: write {encoded}")
    assert "cret" not in str(caught.value)
    assert Site.parse(f"http://me:se{encoded}cret@h:8080/x").password == f"se{character}cret"


@pytest.mark.parametrize(("path", "encoded"), [("ü", "%C3%BC"), ("a b", "%20"), ("€", "%E2%82%AC")])
def test_the_error_names_the_character_of_a_path_and_its_percent_form(path: str, encoded: str) -> None:
    with pytest.raises(SpecError, match=f"cannot stand in a URL as it is: write {encoded}"):
        Site.parse(f"http://h/{path}")


@pytest.mark.parametrize(
    "url",
    [
        *("", "h", "//h", "ftp://h", "http:/h", "http://", "http://@", "http://:80", "http://h:x", "http://h:0"),
        *("http://h:99999", "http://[::1", "http://::1", "http://h#x", "http://h#ca=", "http://h#pin=ab"),
    ],
)
def test_a_url_that_cannot_be_used_is_an_error(url: str) -> None:
    with pytest.raises(SpecError):
        Site.parse(url)


@pytest.mark.parametrize(
    "pin", [PIN, PIN.upper(), "sha256:" + PIN, ":".join(["AB"] * 32), "SHA256:" + ":".join(["ab"] * 32)]
)
def test_a_fingerprint_is_read_in_every_usual_spelling(pin: str) -> None:
    assert Site.parse(f"https://h/#pin={pin}").trust == Trust(pin=PIN)


def test_a_certificate_file_is_found_after_a_change_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Site.parse("https://h/#ca=ca.pem").trust == Trust(ca=str(tmp_path / "ca.pem"))


@pytest.mark.parametrize("option", ["ca=x", f"pin={PIN}"])
def test_an_option_about_certificates_needs_https(option: str) -> None:
    with pytest.raises(SpecError, match="write https://"):
        Site.parse(f"http://h/#{option}")


@pytest.mark.parametrize("told", ["/hidden%20door", "/hidden door"])
def test_a_path_that_a_site_repeats_is_masked(told: str) -> None:
    site = Site.parse("http://h/hidden%20door/?name=bt")
    assert site.masked(f"no such page: {told}/api") == "no such page: …/api"


def test_without_a_path_nothing_is_masked() -> None:
    assert Site.parse("http://h/").masked("/api/v2: a/b") == "/api/v2: a/b"


@pytest.mark.parametrize("told", ["p@ss w/rd", "p%40ss%20w/rd", "p%40ss%20w%2Frd", "bWU6cEBzcyB3L3Jk"])
def test_a_password_that_a_site_repeats_is_masked(told: str) -> None:
    site = Site.parse("http://me:p%40ss%20w%2Frd@h")
    assert site.masked(f"wrong: {told}!") == "wrong: …!"
