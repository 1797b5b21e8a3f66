"""Whatever a user gets wrong ends with a line that says so and a documented code: never a traceback.

Nothing here leaves the machine: where a gateway is named at all, it is `none`, a fixed address, or dead loopback.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.canary import undisturbed
from tests.cli.bad_invocations import commands, mistakes

from portmap.cli.parser.app import main
from portmap.storage.file_lock import try_lock
from portmap.storage.status_file import status_folder

NAT = {"ip": "extip:1.2.3.4", "open": "pmp:127.97.0.1", "close": "pmp:127.97.0.1", "ls": "pmp:127.97.0.1"}


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Files that are no configuration, no folder, no text; we stand in an empty folder."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    found = {
        name: tmp_path / name
        for name in ("fine", "file", "folder", "binary", "latin", "huge", "deep", "fields", "loop", "locked")
    }
    found["folder"].mkdir()
    found["fine"].write_text("[[map]]\nport = 8080\n")
    found["file"].write_text("no = config")
    found["binary"].write_bytes(bytes(range(256)))
    found["latin"].write_bytes('nat = "é"'.encode("latin-1"))
    found["huge"].write_bytes(b"# " * (1 << 20))
    found["deep"].write_text("a = " + "[" * 5000)
    found["fields"].write_text('nat = 1\npublish = ["", "nonsense:"]\nlease = "\\u0000"\n[[map]]\nport = []\n')
    found["loop"].symlink_to(found["loop"])
    found["locked"].write_text("x")
    found["locked"].chmod(0)
    return found


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a user who has set nothing."""
    with undisturbed(tmp_path, monkeypatch):
        yield


Install = Callable[..., Path]


def ends_badly(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is wrong with how it ends; empty if nothing."""
    try:
        with pytest.raises(SystemExit) as ended:
            main(words)
    except BaseException as error:  # noqa: BLE001  # that is what is looked for
        return f"falls by {type(error).__name__}: {str(error)[:300]}"
    err = capsys.readouterr().err
    if ended.value.code != 2:
        return f"ends with {ended.value.code}: {err[:200]}"
    if "Traceback" in err or not err.startswith("portmap: ") or err.count("\n") != 1 or not err[:-1].isprintable():
        return f"says {err[:300]!r}"
    return ""


@pytest.mark.parametrize("name", commands())
def test_every_mistake_is_one_line(
    name: str, paths: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTMAP_NAT", NAT.get(name, "none"))
    wrong = list(mistakes(name, paths))
    bad = {str([word[:60] for word in words]): how for words in wrong if (how := ends_badly(words, capsys))}
    assert len(wrong) >= 50
    assert not bad


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(words)
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.mark.parametrize("value", ["nonsense", "\x1b[31m", "é😀", "\udcff", "x" * 50_000])
@pytest.mark.parametrize("words", ["", "run 80 -- true", "open 80"])
@pytest.mark.parametrize("variable", ["NAT", "LEASE", "IP_INTERVAL", "ON_CONFLICT"])
def test_nonsense_in_a_variable_is_a_mistake_like_any_other(
    variable: str, words: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTMAP_NAT", "none")
    monkeypatch.setenv(f"PORTMAP_{variable}", value)
    assert ends_badly(words.split(), capsys) == ""


@pytest.mark.parametrize(
    ("words", "variables"),
    [
        ("", {"PORTMAP_MAPPINGS": "80 nonsense"}),
        ("", {"PORTMAP_MAPPINGS": "80,80"}),
        ("", {"PORTMAP_PUBLISH": "nonsense:x"}),
        ("", {"PORTMAP_CONFIG": "no/such/file"}),
        ("", {"PORTMAP_CONFIG": "."}),
        ("", {"PORTMAP_METRICS": "nonsense"}),
        ("", {"PORTMAP_STATE": "/dev/null"}),
        ("run 80 -- true", {"PORTMAP_STATE": "/dev/null"}),
        ("open 80", {"PORTMAP_STATE": "/dev/null", "PORTMAP_NAT": "pmp:127.97.0.1"}),
        ("close 80", {"PORTMAP_STATE": "/dev/null", "PORTMAP_NAT": "pmp:127.97.0.1"}),
        ("status", {"PORTMAP_STATE": "/dev/null"}),
        ("status --watch", {"PORTMAP_STATE": "/dev/null"}),
        ("ip", {"PORTMAP_NAT": "nonsense"}),
        ("ls", {"PORTMAP_NAT": "nonsense"}),
        ("doctor", {"PORTMAP_NAT": "nonsense"}),
        ("close --mine", {"PORTMAP_NAT": "nonsense"}),
        ("service print", {"PORTMAP_CONFIG": "no/such/file"}),
        ("-4 -6 80", {}),
        ("ip -4 -6", {}),
        ("80 80", {}),
        ("run -4 -6 80 -- true", {}),
        ("run 80", {}),
        ("run 80 --", {}),
        ("run 80 -- no-such-program", {}),
        ("run 80 -- /", {}),
        ("run -- true", {}),
        ("close", {}),
        ("close 80 --mine", {}),
        ("doctor --json --report", {}),
        ("doctor --try", {}),
        ("doctor --stun nonsense", {}),
        ("config", {}),
        ("config chekc", {}),
        ("service", {}),
        ("plugins nwe", {}),
        ("stauts", {}),
    ],
)
def test_words_that_do_not_go_together_are_a_mistake(
    words: str, variables: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PORTMAP_NAT": "none", **variables}.items():
        monkeypatch.setenv(name, value)
    assert ends_badly(words.split(), capsys) == ""


def test_a_mistake_is_told_to_programs_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys, "ip", "--nat", "none", "--json")
    assert err.startswith("portmap: there is no NAT")
    reason = err.removeprefix("portmap: ").strip()
    assert json.loads(out) == {"v": 1, "event": "error", "error": "NoGateway", "reason": reason, "exit": code}


@pytest.mark.parametrize("words", ["--state /dev/null", "--state {missing}", "--bogus", "unknown", "--state {locked}"])
def test_a_health_check_knows_no_codes_but_0_and_1(
    words: str, paths: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    filled = words.format(missing=paths["folder"] / "none", locked=paths["locked"])
    assert ended(capsys, "status", "--check", *filled.split())[0] == 1


def test_a_meant_command_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'status'?" in ended(capsys, "stauts")[2]


@pytest.mark.parametrize("words", ["help", "-h", "--help", "help ip", "ip -h", "help plugins new", "config -h"])
@pytest.mark.parametrize("columns", ["", "x", "-1", "0", "1", "80", "120", "9" * 30])
def test_help_is_given_whatever_the_width(
    words: str, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as during:  # pytest -v itself fails at a width of 10^30
        during.setenv("COLUMNS", columns)
        code, out, err = ended(capsys, *words.split())
    assert (code, err) == (0, "")
    assert out.startswith("Usage: portmap")


@pytest.mark.parametrize("name", ["", *commands()])
def test_help_fits_on_a_terminal_and_cuts_no_sentence(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = ended(capsys, *name.split(), "--help")
    assert max(map(len, out.splitlines())) <= 80
    assert not re.search(r"[a-z]\.\.\.$", out, re.MULTILINE)


GARBAGE = (b"", b"{", b"[]", b"null", b'{"v":1}', b'{"v":99}', b"\xff\xfe", b"\0" * 100, b"[" * 90_000, b'{"v":1e999}')


@pytest.mark.parametrize("garbage", GARBAGE, ids=lambda garbage: repr(garbage[:12]))
@pytest.mark.parametrize("words", ["status", "--for 2s --nat extip:1.2.3.4 80", "close --mine --nat pmp:127.97.0.1"])
def test_garbage_in_the_state_folder_stops_no_command(
    words: str, garbage: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    with remembered(state, garbage):
        code, _, err = ended(capsys, *words.split(), "--state", str(state))
    assert code in {0, 3}
    assert not err or (err.startswith("portmap: ") and err.count("\n") == 1)


@contextmanager
def remembered(state: Path, garbage: bytes) -> Iterator[None]:
    """Such a file in every place where one may be, and the locks held, as if its owner lived."""
    with ExitStack() as stack:
        for folder in (state, state / "open", state / "running", status_folder(state)):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "1-aaaaaaaa.json").write_bytes(garbage)
            (folder / "2-bbbbbbbb.json").write_bytes(garbage)
            try_lock(stack.enter_context((folder / "2-bbbb.lock").open("wb")))
        yield


BROKEN = {
    "missing": "",
    "raises": "raise RuntimeError('boom\\nTraceback')",
    "exits": "raise SystemExit(7)",
    "endless": "def f(): f()\nf()",
    "syntax": "def (",
    "no_class": "Acme = 1",
    "no_kind": "class Acme: pass",
    "odd_kind": "class Acme:\n kind = 'loop'\n from_argument = print",
}


@pytest.mark.parametrize("module", BROKEN)
def test_a_broken_plugin_is_a_broken_plugin_to_every_command(
    module: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    source = {} if module == "missing" else {module: BROKEN[module]}
    install("acme-nat", f"[portmap.backends]\nacme = {module}:Acme\n", **source)
    for words in ("ip", "80", "run 80 -- true", "open 80", "close 80", "ls", "service print"):
        code, _, err = ended(
            capsys, *words.replace("80", "--nat acme 80").split(), *(["--nat", "acme"] if "80" not in words else [])
        )
        assert (words, code) == (words, 9)
        assert err.startswith("portmap: "), err
        assert "File " not in err


@pytest.mark.parametrize("command", ["backends", "plugins"])
@pytest.mark.parametrize("module", BROKEN)
def test_a_list_of_plugins_survives_the_broken_ones(
    module: str, command: str, install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    source = {} if module == "missing" else {module: BROKEN[module]}
    install("acme-nat", f"[portmap.backends]\nacme = {module}:Acme\n", **source)
    code, out, err = ended(capsys, command)
    assert (code, err) == (0, "")
    assert "acme" in out
