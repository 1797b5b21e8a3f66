"""The options of the commands, made of the rows of `portmap.config.options`, and what the Tab key completes."""

from collections.abc import Callable, Collection
from functools import cache
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, TypeVar

import typer

from portmap.config.options import COMMAND_OPTIONS, OPTIONS, Value

F = TypeVar("F", bound=Callable[..., None])


def complete_nat(incomplete: str) -> list[str]:
    """The installed backends' names."""
    from portmap.loading.distributions import installed_entries  # noqa: PLC0415  # only Tab pays for it

    names = {entry.name for entry in installed_entries("portmap.backends")[0]}
    return sorted(name for name in names if name.startswith(incomplete))


def complete_publisher(incomplete: str) -> list[str]:
    """The installed publishers' names."""
    from portmap.loading.distributions import installed_entries  # noqa: PLC0415  # as above

    names = {entry.name for entry in installed_entries("portmap.publishers")[0]}
    return sorted(name for name in names if name.startswith(incomplete))


def complete_mapping(ctx: typer.Context, incomplete: str) -> list[str]:
    """The commands: they may stand where a mapping may."""
    commands: Collection[str] = getattr(ctx.command, "commands", ())
    return sorted(name for name in commands if name.startswith(incomplete))


MAPPING = "[NAME=][EXT:]INT[-INT][@HOST][/tcp|udp|both]; or [INT=]follow, to listen where the gateway says"
_COMPLETIONS = {"": None, "backend": complete_nat, "publisher": complete_publisher}
_TYPES = {Value.TEXTS: list[str] | None, Value.SWITCH: bool, Value.OFF_SWITCH: bool, Value.COUNT: int}
_DEFAULTS = {Value.SWITCH: False, Value.OFF_SWITCH: False, Value.COUNT: 0}  # others: None


def option(name: str, *, from_variable: bool = False) -> Any:
    """The option of that row for typer. With `from_variable` typer reads its variable."""
    row = OPTIONS[name]
    return typer.Option(
        *row.flags,
        metavar=row.metavar,
        help=row.help_line,
        show_default=False,
        count=row.value is Value.COUNT,
        envvar=row.variable if from_variable else None,
        show_envvar=False,
        autocompletion=_COMPLETIONS[row.spec_of],
    )


def takes_options(command: str) -> Callable[[F], F]:
    """Gives a function the options of all rows for this command, in the place of its `**given`.

    They come by name, as the parser read them: None, False or 0 for those that were not given. The variables of
    settings are left to `environment_layer`, those of the command's own options are read by typer.
    """

    def with_options(function: F) -> F:
        own = [each for each in signature(function).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        rows = [_parameter(row.name) for row in OPTIONS.values() if command in row.commands]
        first = [each for each in own if each.kind is not Parameter.KEYWORD_ONLY]
        parameters = [*first, *rows, *own[len(first) :]]
        function.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it, mypy does not know it
        return function

    return with_options


@cache
def _parameter(name: str) -> Parameter:
    row = OPTIONS[name]
    kind: Any = _TYPES.get(row.value, str | None)
    annotation = Annotated[kind, option(name, from_variable=row in COMMAND_OPTIONS)]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=_DEFAULTS.get(row.value), annotation=annotation)


Mappings = Annotated[list[str], typer.Argument(metavar="MAPPING...", help=f"{MAPPING}.", show_default=False)]
Nat = Annotated[str, option("nat", from_variable=True)]
Interface = Annotated[str | None, option("interface", from_variable=True)]
MaybeNat = Annotated[str | None, option("nat")]
Lease = Annotated[str | None, option("lease")]
State = Annotated[str | None, option("state", from_variable=True)]
OnlyIPv4 = Annotated[bool, option("ipv6")]
OnlyIPv6 = Annotated[bool, option("ipv4")]
For = Annotated[str | None, option("for_")]
Json = Annotated[bool, option("json")]
Verbose = Annotated[int, option("verbose")]
