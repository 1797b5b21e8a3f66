"""The documents as data: their fenced blocks, their prose, and every `portmap …` command line in either."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(portmap [^`…]+)`")
_ARRAY = re.compile(r"\[(?:\"[^\"\n]*\"(?:, )?)+\]")
_BETWEEN = {"|", "||", "&&", ";", "&", "(", ")"}


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is its first line's number."""

    document: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"


@dataclass(frozen=True)
class CommandLine:
    """A command line of portmap's: where it stands, and its words after `portmap`. `inline`: in the prose."""

    where: str
    words: list[str]
    inline: bool = False

    def __str__(self) -> str:
        return f"{self.where} {' '.join(self.words)}"


def blocks(*languages: str) -> list[Block]:
    """Every block in one of these languages, or every block."""
    return [block for path in DOCUMENTS for block in _blocks(path) if not languages or block.language in languages]


@cache
def _blocks(path: Path) -> tuple[Block, ...]:
    text = path.read_text(encoding="utf-8")
    return tuple(
        Block(path, text.count("\n", 0, found.start()) + 2, found[1], found[2]) for found in _BLOCK.finditer(text)
    )


def prose(path: Path) -> str:
    """A document without its blocks."""
    return _BLOCK.sub("", path.read_text(encoding="utf-8"))


def steps(console: str) -> list[tuple[str, str]]:
    """A console block as (command, what is shown after it); a command may go on after a backslash."""
    found: list[tuple[str, str]] = []
    for line in console.splitlines(keepends=True):
        command, shown = found[-1] if found else ("", "")
        if line.startswith("$ "):
            found.append((line[2:], ""))
        elif not shown and command.endswith("\\\n"):
            found[-1] = command + line, ""
        else:
            found[-1] = command, shown + line
    return [(command.rstrip("\n"), shown) for command, shown in found]


def command_lines() -> Iterator[CommandLine]:
    """Every command line of portmap's in the documents."""
    for block in blocks("sh", "console", "yaml", "dockerfile", "conf"):
        text = block.text
        if block.language == "console":
            text = "\n".join(command for command, _ in steps(text))
        for words in _in_arrays(text) if block.language in {"yaml", "dockerfile"} else _in_shell(text):
            yield CommandLine(str(block), words)
    for path in DOCUMENTS:
        for command in _INLINE.findall(prose(path)):
            yield CommandLine(path.name, shlex.split(command)[1:], inline=True)


def _in_arrays(text: str) -> Iterator[list[str]]:
    """`["CMD", "portmap", …]` of a container's file, and a service's `command: […]`."""
    for array in _ARRAY.findall(text):
        words = json.loads(array)
        if "portmap" in words[:2]:
            yield words[words.index("portmap") + 1 :]
        elif f"command: {array}" in text:
            yield words


def _in_shell(text: str) -> Iterator[list[str]]:
    for line in text.replace("\\\n", " ").splitlines():
        yield from commands_in(line)
        for inner in re.findall(r"\$\((portmap [^)]*)\)|'(portmap [^']*)'", line):
            yield shlex.split("".join(inner))[1:]


def commands_in(line: str) -> Iterator[list[str]]:
    """The words after `portmap` of each command of ours in a line of a shell's."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    command: list[str] = []
    for token in [*lexer, ";"]:
        if token not in _BETWEEN:
            command.append(token)
            continue
        yield from _ours(command)
        command = []


def _ours(command: list[str]) -> Iterator[list[str]]:
    """The words after `portmap`, without what a shell takes for itself."""
    words = [word for at, word in enumerate(command) if ">" not in (word, command[at - 1] if at else "")]
    while words and (words[0] == "sudo" or re.match(r"\w+=", words[0])):
        words = words[1:]
    if words and words[0] == "portmap":
        yield words[1:]
