"""What follows a backend's first colon is in no message, however it is mistyped and wherever it is put."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.backends.canary_specs import MISTAKES, SPECS, is_refused
from tests.canary import CANARY, alone, said_by, told_by

import portmap
from portmap.backends.load import load_ipv6
from portmap.cli.config_file import load_config
from portmap.config.file import ConfigError
from portmap.doctor.probes.backends import probe_targets
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.session.open import load_backends


@pytest.fixture(scope="module")
def refused() -> list[str]:
    """Specs that the command cannot use: with these it sends nothing."""
    texts = [spec for spec in (*SPECS, *MISTAKES[::100]) if "\0" not in spec]
    return [spec for spec in texts if f",{CANARY}" not in spec and is_refused(spec)]  # after a comma a name begins


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(tmp_path, monkeypatch):
        yield


def test_there_are_enough_mistakes() -> None:
    assert len(MISTAKES) > 3000


@pytest.mark.parametrize("texts", [MISTAKES[at::8] for at in range(8)], ids=map(str, range(8)))
@pytest.mark.parametrize("load", [portmap.load, load_ipv6], ids=["load", "load_ipv6"])
def test_no_backend_repeats_its_argument(load: Callable[[str, Catalogue], object], texts: list[str]) -> None:
    catalogue = Catalogue(BACKENDS)  # made once: it takes time

    def act(spec: str) -> object:
        return load(spec, catalogue)

    assert not [text for text in texts if CANARY in told_by(act, text)]


def test_a_session_without_ipv4_does_not_repeat_it() -> None:
    def act(spec: str) -> object:
        return load_backends(spec, ipv4=False, ipv6=True)

    assert not [spec for spec in SPECS if CANARY in told_by(act, spec)]


@pytest.mark.parametrize(
    "wrap", [lambda spec: [spec], lambda spec: {spec: 1}, str.encode], ids=["list", "dict", "bytes"]
)
def test_a_spec_in_something_that_is_no_text_is_not_repeated(wrap: Callable[[str], object]) -> None:
    def act(spec: str) -> object:
        return load_backends(wrap(spec), ipv4=True, ipv6=True)  # type: ignore[arg-type]

    assert not [spec for spec in SPECS if CANARY in told_by(act, spec)]


def test_the_doctor_does_not_repeat_it() -> None:
    def act(spec: str) -> object:
        return len(probe_targets(spec))

    assert not [spec for spec in (*SPECS, *MISTAKES[::20]) if CANARY in told_by(act, spec)]


@pytest.mark.parametrize(
    "words",
    [
        ["--nat", "{}"],
        ["8080", "--nat={}"],
        ["-v", "--nat", "{}", "8080"],
        ["--json", "--nat", "{}", "8080"],
        ["ip", "--nat", "{}"],
        ["ip", "{}"],
        ["run", "8080", "--nat", "{}", "--", "true"],
        ["run", "{}", "--", "true"],
        ["open", "8080", "--nat", "{}"],
        ["open", "{}"],
        ["close", "8080", "--nat", "{}"],
        ["close", "{}"],
        ["ls", "--nat", "{}"],
        ["ls", "{}"],
        ["check", "8080", "--nat", "{}"],
        ["check", "{}"],
        ["doctor", "--nat", "{}"],
        ["doctor", "{}"],
        ["service", "print", "8080", "--nat", "{}"],
        ["status", "{}"],
        ["plugins", "{}"],
        ["{}"],
    ],
    ids=" ".join,
)
def test_no_command_repeats_it(words: list[str], refused: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    specs = [spec for spec in refused if "nat" in " ".join(words) or not spec[0].isdigit()]  # 1:X is a mistyped port
    told = {spec: said_by([word.format(spec) for word in words], capsys) for spec in specs}
    assert not {spec: text for spec, text in told.items() if CANARY in text}


@pytest.mark.parametrize(
    "words", [["8080"], ["run", "8080", "--", "true"], ["ip"], ["ls"], ["check", "8080"]], ids=" ".join
)
def test_no_command_repeats_it_from_the_environment(
    words: list[str], refused: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(spec: str) -> str:
        monkeypatch.setenv("PORTMAP_NAT", spec.encode("utf-8", "replace").decode())
        return said_by(words, capsys)

    assert not [spec for spec in refused if CANARY in told(spec)]


@pytest.mark.parametrize(
    "form",
    [
        "nat = {}",
        "nat = [{}]",
        "[[map]]\nport = 80\nnat = {}",
        "nat = {{a = {}}}",
        "nat {}",
        "beyond = [{}]",
        "beyond = {}",
        "beyond = [[{}]]",
    ],
)
def test_no_fault_of_a_file_repeats_it(form: str) -> None:
    file = Path("portmap.toml")

    def act(spec: str) -> object:
        file.write_text(form.format(json.dumps(spec.encode("utf-8", "replace").decode())))
        try:
            load_config(file)
        except ConfigError as error:
            return [fault.text for fault in error.faults]
        return None

    assert not [spec for spec in (*SPECS, *MISTAKES[::20]) if CANARY in told_by(act, spec)]


def test_a_file_is_refused_by_the_command_without_it(refused: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("portmap.toml")

    def told(spec: str) -> str:
        file.write_text(f"nat = {json.dumps(spec.encode('utf-8', 'replace').decode())}\n[[map]]\nport = 80\n")
        return said_by(["--config", str(file)], capsys)

    assert not [spec for spec in refused if CANARY in told(spec)]


def test_nothing_of_it_is_logged(refused: list[str]) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("portmap")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    for spec in refused:
        told_by(portmap.load, spec)
    assert CANARY not in stream.getvalue()
