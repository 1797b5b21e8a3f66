"""A command group whose bare form takes arguments: `portmap 8080` beside `portmap ip`.

The first word that names a command and is not the value of an option is the command. All other words, options before
it included, belong to that command. Without such a word the group itself is the command.
`ctx` is typer's vendored click context, which has no public type.
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Any

from typer.core import TyperCommand, TyperGroup

from portmap.errors import SpecError

_CHOSEN = "portmap.command"
CHILD = "portmap.child"  # the words after --, for a command that starts a program


def split_command(
    args: Sequence[str], commands: Collection[str], taking_value: Collection[str]
) -> tuple[str | None, list[str]]:
    """The command that the words name, if any, and the other words."""
    previous = ""
    for position, word in enumerate(args):
        if word == "--":
            break
        if word in commands and previous not in taking_value:
            return word, [*args[:position], *args[position + 1 :]]
        previous = word
    return None, list(args)


def split_child(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words before `--`, and those after it."""
    at = words.index("--") if "--" in words else len(words)
    return list(words[:at]), list(words[at + 1 :])


class PlainCommand(TyperCommand):
    """A command whose usage line says `NAME`, not `{NAME}`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words after the command."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class BareGroup(TyperGroup):
    """The group; its callback is the bare form and is not called for a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note the command, if one is named, and leave its words to it; else parse the words as our own."""
        if args[:1] == ["help"]:
            args = [*args[1:], "--help"]
        taking_value = {name for param in self.params if _takes_value(param) for name in param.opts}
        command, rest = split_command(args, self.commands, taking_value)
        if command is None:
            words = super().parse_args(ctx, args)
            self._check(ctx)
            return words
        ctx.meta[_CHOSEN] = command, rest
        return super().parse_args(ctx, [])

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was named, or the bare form."""
        chosen = ctx.meta.get(_CHOSEN)
        if chosen is None:
            return super().invoke(ctx)
        name, words = chosen
        rest, ctx.meta[CHILD] = split_child(words)
        with self.commands[name].make_context(name, rest, parent=ctx) as inner:
            return inner.command.invoke(inner)

    def get_params(self, ctx: Any) -> list[Any]:
        """Our own; a command's usage line, which asks for its parent's as well, goes without them."""
        return super().get_params(ctx) if ctx.command is self else []

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """The bare form, and that there are commands."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] [MAPPING]...")
        formatter.write_usage(ctx.command_path, "COMMAND ...", prefix="       ")

    def _check(self, ctx: Any) -> None:
        """A word that can be no mapping, and nearly names a command, was meant for one. Raises SpecError."""
        for word in ctx.params.get("mappings") or ():
            near = get_close_matches(word, self.commands, n=1) if word.isalpha() else []
            if near:
                raise SpecError(f"{word!r} is neither a port nor a command: did you mean {near[0]!r}?")


def _takes_value(param: Any) -> bool:
    return not (getattr(param, "is_flag", False) or getattr(param, "count", False))
