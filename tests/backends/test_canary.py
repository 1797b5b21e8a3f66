"""What follows a backend's first colon is in no message, however it is mistyped and wherever it is put."""

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.canary import CANARY, mistakes, told_by

import portmap
from portmap.backends.load import load_ipv6
from portmap.cli.config_file import load_config
from portmap.cli.parser.app import main
from portmap.config.file import ConfigError
from portmap.doctor.probes.backends import probe_targets
from portmap.errors import PortmapError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue
from portmap.session.open import load_backends

SPECS = (
    *(
        f"{name}:{argument}"
        for name in ("pmp", "protonvpn", "pcp")
        for argument in (
            CANARY,
            f"me:{CANARY}@192.168.1.1",
            f"192.168.1.1:{CANARY}",
            f"192.168.1.1/{CANARY}",
            f"192.168.1.1%{CANARY}",
            f"http://me:{CANARY}@192.168.1.1:5351/",
            f"2001:db8::1%{CANARY}",
            f"fe80::1%{CANARY}/6/4",
            f"fe80::1%{'x' * 60}{CANARY}",
        )
    ),
    *(
        f"{name}:{argument}"
        for name in ("upnp", "miniupnpc")
        for argument in (
            CANARY,
            f"http://me:{CANARY}@192.168.1.1:5000/rootDesc.xml",
            f"http://192.168.1.1:5000/{CANARY}?key={CANARY}",
            f"http://8.8.8.8:5000/{CANARY}",
            f"http://192.168.1.1:{CANARY}/",
            f"http://{CANARY}.example.org/",
            f"http://[fe80::1%25eth0]:5000/{CANARY}",
            f"http://[{CANARY}]:5000/",
            f"http://192.168.1.1:0/{CANARY}",
            f"//192.168.1.1/{CANARY}",
        )
    ),
    *(
        f"extip:{argument}"
        for argument in (CANARY, f"me:{CANARY}@203.0.113.7", f"203.0.113.7/{CANARY}", f"fe80::1%{CANARY}")
    ),
    *(f"if:{argument}" for argument in (CANARY, f"me:{CANARY}@eth0", f"eth0/{CANARY}", f"http://me:{CANARY}@eth0")),
    *(
        f"{name}:{argument}"
        for name in ("stun", "punch")
        for argument in (
            f"me:{CANARY}@stun.example.org",
            f"_{CANARY}@stun.example.org:3478",
            f"stun.example.org:{CANARY}",
            f"[{CANARY}]:3478",
            f"[::1]{CANARY}",
            f"stun.example.org+_{CANARY}",
            f"http://me:{CANARY}@stun.example.org/",
            f"stun.example.org?forward={CANARY}",
            f"stun.example.org?{CANARY}",
        )
    ),
    f"pmp:192.168.1.1,upnp:http://me:{CANARY}@192.168.1.1/",
    f"upnp:http://192.168.1.1/{CANARY},upnp:http://192.168.1.1/{CANARY}",
    f"pcp:{CANARY},pmp",
    f"any:{CANARY}",
    f"any:pmp:{CANARY},pcp",
    f"pmp,extip:{CANARY}",
    f"none:{CANARY}",
)
MISTAKES = sorted({text for spec in SPECS for text in mistakes(spec)})


def is_refused(spec: str) -> bool:
    for act in (portmap.load, probe_targets):
        try:
            act(spec)
        except PortmapError:
            continue
        return False
    return True


INNER = "pmp:127.0.0.1"  # no program answers there
CHAINS = sorted(
    {f"{INNER} beyond {spec}" for spec in (*SPECS, *MISTAKES[::20])}
    | {f"{spec} beyond {INNER}" for spec in (*SPECS, *MISTAKES[::20])}
    | {text for spec in SPECS[::7] for text in mistakes(f"{spec} beyond {spec}")}
)


@pytest.fixture(scope="module")
def refused_beyond() -> list[str]:
    """Specs that no chain can have at its end: with these the command sends nothing."""
    texts = [spec for spec in (*SPECS, *MISTAKES[::100]) if "\0" not in spec and f",{CANARY}" not in spec]
    return [spec for spec in texts if is_refused(spec) and is_refused(f"{INNER} beyond {spec}")]


@pytest.fixture(scope="module")
def refused() -> list[str]:
    """Specs that the command cannot use: with these it sends nothing."""
    texts = [spec for spec in (*SPECS, *MISTAKES[::100]) if "\0" not in spec]
    return [spec for spec in texts if f",{CANARY}" not in spec and is_refused(spec)]  # after a comma a name begins


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In an empty folder, without variables of ours, and with logging as it was."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PORTMAP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    logger = logging.getLogger("portmap")
    before = logger.propagate, logger.level, list(logger.handlers)
    yield
    logger.propagate, logger.level, logger.handlers[:] = before


def test_there_are_enough_mistakes() -> None:
    assert len(MISTAKES) > 3000


@pytest.mark.parametrize("texts", [MISTAKES[at::8] for at in range(8)], ids=map(str, range(8)))
@pytest.mark.parametrize("load", [portmap.load, load_ipv6], ids=["load", "load_ipv6"])
def test_no_backend_repeats_its_argument(load: Callable[[str, Catalogue], object], texts: list[str]) -> None:
    catalogue = Catalogue(BACKENDS)  # made once: it takes time

    def act(spec: str) -> object:
        return load(spec, catalogue)

    assert not [text for text in texts if CANARY in told_by(act, text)]


@pytest.mark.parametrize("load", [portmap.load, load_ipv6], ids=["load", "load_ipv6"])
def test_no_chain_of_gateways_repeats_it(load: Callable[[str, Catalogue], object]) -> None:
    catalogue = Catalogue(BACKENDS)

    def act(spec: str) -> object:
        return load(spec, catalogue)

    assert len(CHAINS) > 500
    assert not [text for text in CHAINS if CANARY in told_by(act, text)]


def test_a_session_beyond_a_gateway_does_not_repeat_it(refused_beyond: list[str]) -> None:
    def act(spec: str) -> object:
        return portmap.open(INNER, ["8080"], beyond=spec)

    assert not [spec for spec in refused_beyond if CANARY in told_by(act, spec)]


@pytest.mark.parametrize(
    "words",
    [
        ["8080", "--nat", INNER, "--beyond", "{}"],
        ["8080", "--nat", INNER, "--json", "--beyond={}"],
        ["run", "8080", "--nat", INNER, "--beyond", "{}", "--", "true"],
        ["8080", "--nat", f"{INNER} beyond {{}}"],
        ["ip", "--nat", f"{INNER} beyond {{}}"],
        ["open", "8080", "--nat", f"{INNER} beyond {{}}"],
        ["service", "print", "8080", "--nat", INNER, "--beyond", "{}"],
    ],
    ids=" ".join,
)
def test_no_command_repeats_what_is_beyond(
    words: list[str], refused_beyond: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = {spec: said_by([word.format(spec) for word in words], capsys) for spec in refused_beyond}
    assert not {spec: text for spec, text in told.items() if CANARY in text}


def test_no_command_repeats_what_is_beyond_from_the_environment(
    refused_beyond: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(spec: str) -> str:
        monkeypatch.setenv("PORTMAP_BEYOND", spec.encode("utf-8", "replace").decode())
        return said_by(["8080", "--nat", INNER], capsys)

    specs = [spec for spec in refused_beyond if len(spec.splitlines()) == 1 and spec == spec.strip()]
    assert not [spec for spec in specs if CANARY in told(spec)]


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


def said_by(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        main(words)
    said = capsys.readouterr()
    return said.out + said.err


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
