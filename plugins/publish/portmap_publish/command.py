"""Command: a command as the user writes it, and as it is run for one change. Pure.

Without a shell, the value of a placeholder is one argument or part of one. With a shell it is text in a program, so
every character that could mean something to a shell becomes `_`. The whole value is in the environment, where a shell
does not read it as a program.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from portmap.errors import SpecError
from portmap.wire.site import looks_like_url

SHELL = "sh:"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_STRANGE = re.compile(r"[^A-Za-z0-9._:/-]", re.ASCII)
_VARIABLES = {
    "event": "PORTMAP_EVENT",
    "name": "PORTMAP_NAME",
    "protocol": "PORTMAP_PROTOCOL",
    "ip": "PORTMAP_EXTERNAL_IP",
    "port": "PORTMAP_EXTERNAL_PORT",
    "internal_port": "PORTMAP_INTERNAL_PORT",
    "host": "PORTMAP_HOST",
    "old_ip": "PORTMAP_OLD_EXTERNAL_IP",
    "old_port": "PORTMAP_OLD_EXTERNAL_PORT",
    "gateway": "PORTMAP_GATEWAY",
    "scope": "PORTMAP_SCOPE",
}


@dataclass(frozen=True, slots=True)
class Command:
    """`words`: the arguments with their placeholders; with `shell` the one program text."""

    words: tuple[str, ...]
    shell: bool = False

    @classmethod
    def parse(cls, text: str | None) -> "Command":
        """`CMD ARGUMENTS…`, split as a shell would but run without one; or `sh:` and a shell's program. SpecError."""
        if not text or "\0" in text:
            raise SpecError("publisher exec needs a command: write 'exec:CMD {port} {ip}' or 'exec:sh:PROGRAM'")
        shell = text.startswith(SHELL)
        try:
            words = (text.removeprefix(SHELL),) if shell else tuple(shlex.split(text))
        except ValueError as error:
            raise SpecError(f"publisher exec: the command cannot be split: {error}") from error
        if not words or not words[0].strip():
            raise SpecError("publisher exec needs a command: write 'exec:CMD {port} {ip}' or 'exec:sh:PROGRAM'")
        if looks_like_url(words[0]) and not shell:
            raise SpecError("publisher exec needs a command, and this is a URL: write 'exec:CMD {port} {ip}'")
        return cls(words, shell)

    def __str__(self) -> str:
        """The program's name; the arguments may hold a secret."""
        return "sh" if self.shell else self.words[0]

    def argv(self, words: Mapping[str, str]) -> list[str]:
        """The arguments with the placeholders filled in; braces around anything else stay as they are."""
        if self.shell:
            tame = {key: _STRANGE.sub("_", value) for key, value in words.items()}
            return ["/bin/sh", "-c", _filled(self.words[0], tame)]
        return [_filled(word, words) for word in self.words]


def environment(words: Mapping[str, str]) -> dict[str, str]:
    """The variables beside the inherited ones; each is set, some to an empty text."""
    return {_VARIABLES[key]: _printable(value) for key, value in words.items()}


def _filled(word: str, words: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: _printable(words.get(match[1], match[0])), word)


def _printable(value: str) -> str:
    """As the system takes an argument or a variable: no NUL, no lone surrogate."""
    return "".join(character if character.isprintable() else "_" for character in value)
