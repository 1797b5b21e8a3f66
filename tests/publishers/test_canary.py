"""A password in a publisher's spec is in no message, however the spec is mistyped and wherever it is put."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.canary import CANARY, alone, mistakes, said_by, told_by

import portmap
from portmap.cli.config_file import load_config
from portmap.config.file import ConfigError
from portmap.errors import PortmapError
from portmap.publishers.runner import load_publisher
from portmap.syntax.mappings import parse_mapping
from portmap.syntax.plugin_specs import parse_backend_spec, parse_spec, parse_spec_list

URL = f"http://me:{CANARY}@127.0.0.1:1/path?name=x"
SPECS = (
    f"qbittorrent:{URL}",
    f"qbittorrent:http://:{CANARY}@127.0.0.1:1",
    f"transmission:{URL}",
    f"deluge:http://:{CANARY}@127.0.0.1:1",
    URL,
    f"https://me:{CANARY}@[::1]:1/hook#pin={'ab' * 32}",
    f"https://127.0.0.1:1/hooks/{CANARY}?key={CANARY}#ca=/no/such/file",
    f"exec:curl -u me:{CANARY} {URL}",
)
MISTAKES = sorted({text for spec in SPECS for text in mistakes(spec)})


def published(spec: str) -> str:
    """How the publisher of a spec names itself."""
    runner = load_publisher(spec)
    runner.close()
    runner.join(1)
    return runner.status.publisher


def configured(text: str) -> str:
    """What the check of a configuration file says."""
    file = Path("portmap.toml")
    file.write_text(text, encoding="utf-8")
    try:
        load_config(file)
    except ConfigError as error:
        return f"{error} {[fault.text for fault in error.faults]}"
    return ""


def quoted(spec: str) -> str:
    return json.dumps(spec.encode("utf-8", "replace").decode())


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(tmp_path, monkeypatch):
        yield


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_that_is_right_is_loaded_without_its_password(spec: str) -> None:
    assert CANARY not in published(spec)


def test_there_are_enough_mistakes() -> None:
    assert len(MISTAKES) > 1000


@pytest.mark.parametrize("parse", [parse_spec, parse_backend_spec, parse_spec_list], ids=lambda parse: parse.__name__)
def test_no_parser_of_specs_repeats_it(parse: Callable[[str], object]) -> None:
    def refused(text: str) -> str:
        with contextlib.suppress(PortmapError):
            parse(text)
            return ""
        return told_by(parse, text)

    assert not [text for text in MISTAKES if CANARY in refused(text)]


def test_no_publisher_repeats_it() -> None:
    assert not [text for text in MISTAKES if CANARY in told_by(published, text)]


def test_no_mapping_repeats_it() -> None:
    assert not [spec for spec in SPECS if CANARY in told_by(parse_mapping, spec)]


def test_no_backend_of_that_name_repeats_it() -> None:
    assert not [spec for spec in SPECS if CANARY in told_by(portmap.load, spec)]


def is_refused(spec: str) -> bool:
    try:
        published(spec)
    except PortmapError:
        return "\0" not in spec
    return False


@pytest.fixture(scope="module")
def refused() -> list[str]:
    """Specs that the command cannot use: with these it sends nothing."""
    texts = [spec for spec in (*SPECS, *MISTAKES[::15]) if is_refused(spec)]
    assert len(texts) > 10
    return texts


@pytest.mark.parametrize(
    "words",
    [
        ["8080", "--nat", "pmp:127.0.0.1", "--publish", "{}"],
        ["8080", "--nat", "pmp:127.0.0.1", "--json", "--publish={}"],
        ["run", "8080", "--nat", "pmp:127.0.0.1", "--publish", "{}", "--", "true"],
        ["check", "8080", "--nat", "pmp:127.0.0.1", "--publish", "{}"],
        ["open", "8080", "--nat", "pmp:127.0.0.1", "--publish", "{}"],
    ],
    ids=" ".join,
)
def test_no_command_repeats_it(words: list[str], refused: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert not [spec for spec in refused if CANARY in said_by([word.format(spec) for word in words], capsys)]


def test_no_command_repeats_it_from_the_environment(
    refused: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(spec: str) -> str:
        monkeypatch.setenv("PORTMAP_PUBLISH", spec.encode("utf-8", "replace").decode())
        return said_by(["8080", "--nat", "pmp:127.0.0.1"], capsys)

    specs = [spec for spec in refused if not any(map(str.isspace, spec))]  # a blank parts two publishers there
    assert not [spec for spec in specs if CANARY in told(spec)]


@pytest.mark.parametrize(
    "form",
    [
        "publish = [{}]",
        "publish = {}",  # the brackets are forgotten
        "publish = [{}",
        "publish = {}]",
        "publish = [[{}]]",
        "publish = [{{spec = {}}}]",
        "publish {}",
        "publis = [{}]",
        "{} = true",
        "nat = {}",
        "nat = [{}]",
        "state = [{}]",
        "lease = [{}]",
        "ipv4 = [{}]",
        "[[map]]\nport = [{}]",
        "[[map]]\nport = {}",
        "[[map]]\nname = [{}]\nport = 80",
        "[{}]",
    ],
)
def test_no_fault_of_a_file_repeats_it(form: str) -> None:
    assert not [spec for spec in SPECS if CANARY in configured(form.format(quoted(spec)))]


def test_no_fault_of_a_file_repeats_a_mistyped_spec() -> None:
    assert not [text for text in MISTAKES if CANARY in configured(f"publish = [{quoted(text)}]")]


def test_an_unquoted_spec_in_a_file_is_not_repeated() -> None:
    assert not [spec for spec in SPECS if CANARY in configured(f"publish = [{spec}]")]
