"""What follows a backend's first colon is in no message where the backend stands beyond another one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.backends.canary_specs import MISTAKES, SPECS, is_refused
from tests.canary import CANARY, alone, mistakes, said_by, told_by

import portmap
from portmap.backends.load import load_ipv6
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import Catalogue

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


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with alone(tmp_path, monkeypatch):
        yield


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
