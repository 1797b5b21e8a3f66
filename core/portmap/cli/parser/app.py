"""The command line: the bare form, the examples in its help, and main(). Each command's signature is elsewhere."""

import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from portmap import __version__
from portmap.cli import exit_codes
from portmap.cli.parser import port_commands, tool_commands
from portmap.cli.parser.bare_group import BareGroup, split_child
from portmap.cli.parser.options import MAPPING, complete_mapping, takes_options
from portmap.config.options import VARIABLES
from portmap.errors import PortmapError, SpecError

SHORT_HELP = """\
Usage: portmap [OPTIONS] [MAPPING]...
       portmap COMMAND ...

  Keep ports open through any NAT, until Ctrl-C; then close them.

  portmap 25565            keep TCP port 25565 open
  portmap doctor 25565     find out why it cannot be reached

  portmap --help lists every command and option."""

NO_PORT = (
    "no port was named: write one, as in portmap 25565. "
    "The default, an Ethereum node's 30303/both, is opened only with --nat, --publish or --config"
)

EXAMPLES = f"""
Examples:

\b
  portmap 25565                            keep 25565/tcp open until Ctrl-C
  portmap web=443:8443 27015-27030/udp     443 outside to 8443 here; 16 ports
  portmap --for 2h --lease 20m 6881/both   TCP and UDP for an evening
  portmap --nat pmp:192.168.1.1            an Ethereum node's 30303/both
  portmap --json 8080 | jq .event          one JSON object per line
  portmap run 25565 -- java -jar mc.jar    open while the server lives
  portmap ip                               print the external address
  portmap doctor 25565                     find out why it is closed

\b
Gateways (--nat): any, upnp, upnp:http://HOST:PORT/desc.xml, pcp, pcp:GATEWAY,
pmp, pmp:GATEWAY, protonvpn, extip:IP, extip:HOST, if:NAME, stun,
stun:HOST:PORT, none; several as in pcp,upnp. 'portmap backends' lists what is
installed.

Variables: {", ".join(VARIABLES[:-1])} and {VARIABLES[-1]} are used where the option is not given; NO_COLOR: no colours.

\b
Exit codes: 0 done, 2 usage, 3 no gateway, 4 refused, 5 conflict, 7 timeout,
8 out of reach, 9 plugin; any other is a failure, and 130 means Ctrl-C.
'portmap MAPPING...' does not exit on these errors: it keeps trying.
"""

app = typer.Typer(
    cls=BareGroup,
    invoke_without_command=True,
    epilog=EXAMPLES,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": True},
)
port_commands.register(app)
tool_commands.register(app)
_MAY_BE_SPEC = re.compile(r"[:@]|//")  # NAME:ARGUMENT, or a part of one
_QUOTED = re.compile(r"(?<= )\(.*\)|'(?!-).*'|\".*\"", re.DOTALL)  # words that typer repeats, but for names of options

_OWN_WORDS = ("Missing ", "No such option: ")  # what follows in quotes and brackets are names of ours


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"portmap {__version__}")
        raise typer.Exit


@app.callback()
@takes_options("portmap")
def bare(
    mappings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MAPPING]...",
            help=f"{MAPPING}. If none is given, but --nat, --publish or a file is: 30303/both.",
            autocompletion=complete_mapping,
            show_default=False,
        ),
    ] = None,
    *,
    version: Annotated[  # noqa: ARG001  # its callback has done it
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
    **given: Any,
) -> None:
    """Keep ports open through any NAT, until Ctrl-C; then close them."""
    from portmap.cli.hold.arguments import HoldArguments  # noqa: PLC0415  # as above
    from portmap.cli.hold.start import hold_ports  # noqa: PLC0415  # --version and --help need none of it

    arguments = HoldArguments.parse(mappings or [], given)
    if arguments.asks_for_nothing:
        if any(value for name, value in given.items() if name != "metrics"):  # a variable may have said that one
            raise SpecError(NO_PORT)
        print(SHORT_HELP)
        raise typer.Exit
    hold_ports(arguments)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its documented code."""
    words = sys.argv[1:] if args is None else list(args)
    own, _ = split_child(words)
    code = _code_of(words) or 0
    code = exit_codes.flush_stdout() or code
    sys.exit(min(code, exit_codes.FAULT) if {"status", "--check"} <= set(own) else code)  # all that a container knows


def _code_of(words: Sequence[str]) -> int:
    command: Any = typer.main.get_command(app)
    own, _ = split_child(words)  # what follows is another program's
    try:
        return int(command.main(words, prog_name="portmap", standalone_mode=False) or exit_codes.OK)
    except typer.TyperException as error:
        return exit_codes.report_error(SpecError(f"{_message_of(error, words)} ({_help_for(error)})"), own)
    except (PortmapError, OSError) as error:
        return exit_codes.report_error(error, own)


def _message_of(error: Exception, words: Sequence[str]) -> str:
    """What typer says. A word that may be a spec in a wrong place is not repeated: it may hold a password."""
    tell = getattr(error, "format_message", None)
    text = str(tell() if tell else error)
    if text.startswith(_OWN_WORDS) or not any(map(_MAY_BE_SPEC.search, words)):
        return text
    return _QUOTED.sub("(not shown)", text)


def _help_for(error: Exception) -> str:
    """Where to read on: the help of the command that did not understand."""
    path = getattr(getattr(error, "ctx", None), "command_path", "portmap")
    return f"try: {path} --help"
