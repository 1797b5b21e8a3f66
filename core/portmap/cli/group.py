"""A command group whose bare form takes arguments: `portmap 8080` beside `portmap ip`.

Law: the first word that names a command and is not the value of an option decides. Everything else, options before it
included, is that command's; where no word does, the group itself is the command.
`ctx` is typer's vendored click context, which has no public type.
"""

from collections.abc import Collection, Sequence
from typing import Any

from typer.core import TyperGroup

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


class BareGroup(TyperGroup):
    """The group; its callback is the bare form and is not called for a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Note the command, if one is named, and leave its words to it; else parse the words as our own."""
        taking_value = {name for param in self.params if _takes_value(param) for name in param.opts}
        command, rest = split_command(args, self.commands, taking_value)
        if command is None:
            return super().parse_args(ctx, args)
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


def _takes_value(param: Any) -> bool:
    return not (getattr(param, "is_flag", False) or getattr(param, "count", False))
