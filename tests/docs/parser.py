"""The real command's parser, asked about words without running them."""

from collections.abc import Sequence
from typing import Any

import typer

import portmap
from portmap.cli.parser.app import app
from portmap.cli.parser.bare_group import CHILD
from portmap.hookspecs import PUBLISHERS
from portmap.loading.catalog import Catalogue
from portmap.syntax.durations import parse_duration
from portmap.syntax.mappings import parse_mappings
from portmap.syntax.plugin_specs import parse_spec

LONG = 365 * 86400
INSTALLS = {"--install-completion", "--show-completion"}


def is_command(words: Sequence[str]) -> bool:
    """Whether these are the words of one command and nothing else: a mention of it."""
    command: Any = typer.main.get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word)
    return command is not None


def understand(words: Sequence[str]) -> str:
    """The name of the command that these words call; empty for the bare form. Raises what the user would see."""
    assert not INSTALLS & set(words), "the parser itself would do it"
    root: Any = typer.main.get_command(app)
    try:
        context = root.make_context("portmap", list(words))
    except typer.Exit:  # --help, --version
        return ""
    name, rest = context.meta.get("portmap.command", (None, []))
    if name is None:
        _judge(context.params)
        return ""
    before = rest[: rest.index("--")] if "--" in rest else rest
    assert ("--" in rest) == (name == "run"), "only `run` starts a program"
    inner = root.commands[name].make_context(name, before, parent=context)
    inner.meta[CHILD] = rest
    while (called := _called(inner)) is not None:
        inner = called
    _judge(inner.params)
    return str(name)


def _called(context: Any) -> Any:
    """The command that a group's words call, if it is one: `plugins new`."""
    words = [*getattr(context, "_protected_args", []), *context.args]
    if not hasattr(context.command, "commands") or not words:
        return None
    name, command, rest = context.command.resolve_command(context, words)
    return command.make_context(name, rest, parent=context)


def _judge(params: dict[str, Any]) -> None:
    """What the parser leaves to the command: specs, mappings, durations."""
    if params.get("nat"):
        portmap.load(params["nat"])
    parse_mappings([*(params.get("mappings") or ()), *filter(None, [params.get("mapping")])])
    for spec in params.get("publish") or ():
        Catalogue(PUBLISHERS).find(parse_spec(spec)).load()
    for option in ("lease", "for_", "ip_interval", "wait"):
        if params.get(option):
            parse_duration(params[option], option, longest=LONG)
