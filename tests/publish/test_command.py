"""Command: how it is split, and that no value becomes a part of the program."""

import subprocess
from pathlib import Path

import pytest

from portmap.errors import SpecError
from portmap_publish.command import Command, environment

EVIL = "x'; touch owned; $(touch owned) `touch owned` \" & | > owned\n*"
WORDS = {"port": "8080", "ip": "8.8.8.8", "name": "web", "gateway": EVIL}


def test_the_command_is_split_as_a_shell_would_but_by_none() -> None:
    command = Command.parse("notify 'two words' --at={ip}:{port} $HOME")
    assert command.argv(WORDS) == ["notify", "two words", "--at=8.8.8.8:8080", "$HOME"]


def test_a_value_is_never_split_or_filled_again() -> None:
    assert Command.parse("notify {name}").argv({"name": "a b {port}", "port": "1"}) == ["notify", "a b {port}"]


def test_braces_around_anything_else_stay() -> None:
    assert Command.parse("awk '{print}' {PORT} {nonsense}").argv(WORDS) == ["awk", "{print}", "{PORT}", "{nonsense}"]


def test_a_shell_is_used_only_where_one_is_asked_for() -> None:
    assert Command.parse("sh:echo {port} > file").argv(WORDS) == ["/bin/sh", "-c", "echo 8080 > file"]


@pytest.mark.parametrize("program", ["{gateway}", "'{gateway}'", '"{gateway}"', "echo {gateway}", "$({gateway})"])
def test_no_value_is_a_program_however_the_user_quoted_it(program: str, tmp_path: Path) -> None:
    argv = Command.parse(f"sh:{program}").argv(WORDS)
    subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    assert not list(tmp_path.iterdir())


def test_addresses_of_both_families_come_through_a_shell_unchanged() -> None:
    for address in ("203.0.113.7", "2606:4700::1"):
        assert Command.parse("sh:{ip}").argv({"ip": address})[-1] == address


def test_the_environment_has_the_whole_value_but_what_no_variable_can_hold() -> None:
    assert environment({"name": "a'$b\0\n"}) == {"PORTMAP_NAME": "a'$b__"}


@pytest.mark.parametrize("text", [None, "", "sh:", "sh: ", "''", "notify 'open", "a\0b"])
def test_what_is_no_command_is_the_users_mistake(text: str | None) -> None:
    with pytest.raises(SpecError, match="publisher exec"):
        Command.parse(text)


def test_its_name_tells_no_argument() -> None:
    assert str(Command.parse("curl -u me:secret")) == "curl"
    assert str(Command.parse("sh:curl -u me:secret")) == "sh"
