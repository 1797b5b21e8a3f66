"""A password in a responder's URL is in no message, however it is mistyped and whatever the responder answers."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.canary import CANARY, alone, mistakes, said_by, told_by
from tests.wire.website import WebSite

import portmap
from portmap.cli.config_file import load_config
from portmap.config.file import ConfigError
from portmap.errors import PortmapError
from portmap.model import PortRequest, Protocol
from portmap.reachability.check import Endpoint, check_port
from portmap.reachability.echo import EchoClient
from portmap.reachability.prove_setting import ProveSetting
from portmap.reachability.stun_responder import StunResponder

RESPONDERS = (
    f"http://me:{CANARY}@127.0.0.1:1/path?name=x",
    f"https://me:{CANARY}@[::1]:1/echo#pin={'ab' * 32}",
    f"https://127.0.0.1:1/{CANARY}?key={CANARY}#ca=/no/such/file",
    f"http://me:{CANARY}@127.0.0.1:1/,every=1s",
    f"http://127.0.0.1:1/,every={CANARY}s,every=5m",
)
SERVERS = (
    f"stun:me:{CANARY}@stun.example.org",
    f"stun:_{CANARY}@stun.example.org:3478",
    f"stun:stun.example.org:{CANARY}",
    f"stun:[{CANARY}]:3478",
    f"stun:http://me:{CANARY}@stun.example.org/",
)
PARSERS: dict[str, Callable[[str], object]] = {
    "EchoClient": EchoClient.parse,
    "ProveSetting": ProveSetting.parse,
    "StunResponder": StunResponder.parse,
}
MISTAKES = sorted({text for spec in (*RESPONDERS, *SERVERS) for text in mistakes(spec)})
WORDS = (
    ["check", "8080", "--nat", "pmp:127.0.0.1", "--via", "{}"],
    ["check", "8080", "--nat", "pmp:127.0.0.1", "--json", "--via={}"],
    ["doctor", "8080", "--nat", "pmp:127.0.0.1", "--via", "{}"],
    ["8080", "--nat", "pmp:127.0.0.1", "--prove", "{}"],
    ["run", "8080", "--nat", "pmp:127.0.0.1", "--prove", "{}", "--", "true"],
)


def is_refused(text: str) -> bool:
    """Whether no option takes it: with such a text nothing is sent."""
    for parse in PARSERS.values():
        try:
            parse(text)
        except PortmapError:
            continue
        return False
    return "\0" not in text


@pytest.fixture(scope="module")
def refused() -> list[str]:
    texts = [text for text in (*RESPONDERS, *SERVERS, *MISTAKES[::40]) if is_refused(text)]
    assert len(texts) > 10
    return texts


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(tmp_path, monkeypatch):
        yield


def test_there_are_enough_mistakes() -> None:
    assert len(MISTAKES) > 1000


@pytest.mark.parametrize("parse", PARSERS.values(), ids=PARSERS)
def test_no_parser_of_a_responder_repeats_it(parse: Callable[[str], object]) -> None:
    def refusal(text: str) -> str:
        try:
            parse(text)
        except PortmapError:
            return told_by(parse, text)
        return ""

    assert not [text for text in MISTAKES if CANARY in refusal(text)]


@pytest.mark.parametrize("url", RESPONDERS[:3])
def test_a_responder_that_is_understood_is_shown_without_it(url: str) -> None:
    assert CANARY not in f"{EchoClient.parse(url)} {EchoClient.parse(url)!r} {ProveSetting.parse(url)!r}"


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_no_command_repeats_it(words: list[str], refused: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert not [text for text in refused if CANARY in said_by([word.format(text) for word in words], capsys)]


def test_no_command_repeats_it_from_the_environment(
    refused: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(text: str) -> str:
        monkeypatch.setenv("PORTMAP_PROVE", text.encode("utf-8", "replace").decode())
        return said_by(["8080", "--nat", "pmp:127.0.0.1"], capsys)

    assert not [text for text in refused if CANARY in told(text)]


@pytest.mark.parametrize("form", ["prove = {}", "prove = [{}]", "prove {}", "prov = {}"])
def test_no_fault_of_a_file_repeats_it(form: str, refused: list[str]) -> None:
    file = Path("portmap.toml")

    def act(text: str) -> object:
        file.write_text(form.format(json.dumps(text.encode("utf-8", "replace").decode())))
        try:
            load_config(file)
        except ConfigError as error:
            return f"{error} {[fault.text for fault in error.faults]}"
        return None

    assert not [text for text in refused if CANARY in told_by(act, text)]


def test_the_library_does_not_repeat_it(refused: list[str]) -> None:
    def session(text: str) -> object:
        return portmap.open("pmp:127.0.0.1", ["8080"], prove=text)

    def verdict(text: str) -> object:
        return portmap.check(["8080"], via=text, nat="pmp:127.0.0.1")

    assert not [text for text in refused if CANARY in told_by(session, text) + told_by(verdict, text)]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden for %s\r\nContent-Length: 6\r\n\r\n%s",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n%s",
        b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"ip":"%s"}',
        b"HTTP/1.1 302 Found\r\nLocation: http://me:%s@127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
        b"%s\r\n\r\n",
        b"",
    ],
    ids=["refuses", "no JSON", "no address", "elsewhere", "no HTTP", "nothing"],
)
@pytest.mark.parametrize("protocol", Protocol)
def test_no_verdict_has_it_whatever_the_responder_says(
    answer: bytes, protocol: Protocol, caplog: pytest.LogCaptureFixture
) -> None:
    answers = answer.replace(b"%s", CANARY.encode())
    with WebSite(answer=answers) as site, caplog.at_level(logging.DEBUG):
        if not answers:
            site.close()
        client = EchoClient.parse(f"http://me:{CANARY}@127.0.0.1:{site.port}/{CANARY}?key={CANARY}")
        found = check_port(PortRequest(protocol, 1, 1), Endpoint(None, 1), client, hairpin=False)
    assert CANARY not in f"{found} {found.to_dict()} {caplog.text}"
    assert answers == b"" or site.requests
