"""`--interface` and PORTMAP_INTERFACE: every command that speaks to a gateway refuses one that is not there."""

import pytest

from portmap.cli.parser.app import main

COMMANDS = ("80", "run 80", "open 80", "close --force 80", "ip", "check 80", "doctor", "ls")
GATEWAY = ("--nat", "pmp:127.0.0.1", "--state", "none")
REFUSED = ("there is no interface nowhere0: use one of ", "an interface can be chosen on Linux only")


def words_of(command: str, *more: str) -> list[str]:
    nat = list(GATEWAY[:2]) if command in ("ip", "doctor") else list(GATEWAY)
    after = ["--", "true"] if command.startswith("run") else []
    return [*command.split(), *nat, *more, *after]


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says as it ends with 2."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interface_that_is_not_there_is_refused_by_flag(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = refusal(words_of(command, "--interface", "nowhere0"), capsys)
    assert any(text in said for text in REFUSED), said


@pytest.mark.parametrize("command", COMMANDS)
def test_an_interface_that_is_not_there_is_refused_by_variable(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTMAP_INTERFACE", "nowhere0")
    said = refusal(words_of(command), capsys)
    assert any(text in said for text in REFUSED), said


def test_a_flag_wins_over_the_variable(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTMAP_INTERFACE", "nowhere0")
    said = refusal(words_of("ip", "--interface", "nowhere/1"), capsys)
    assert "the interface 'nowhere/1' cannot be" in said
