"""The command line: what may be written, and what it says of itself."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from portmap import __version__
from portmap.cli import exits
from portmap.cli.group import BareGroup

EXAMPLES = """
Examples:

\b
  portmap --nat pmp:192.168.1.1            keep 30303 tcp and udp open, as an Ethereum node needs
  portmap 25565                            find the gateway, keep 25565/tcp open until Ctrl-C
  portmap web=443:8443 27015/udp           outside port 443 to 8443 here, and one UDP port
  portmap --for 2h --lease 20m 6881/both   TCP and UDP for an evening
  portmap --json 8080 | jq .event          one JSON object a line
  portmap ip                               print the external address

\b
Gateways (--nat): any, upnp, upnp:http://HOST:PORT/desc.xml, pmp, pmp:GATEWAY, extip:IP, none.
'portmap backends' lists what is installed.

\b
Exit codes: 0 done, 2 usage, 3 no gateway, 4 refused, 5 conflict, 7 timeout, 9 plugin; any other is a failure.
The bare form keeps trying rather than exit.
"""

app = typer.Typer(
    cls=BareGroup,
    invoke_without_command=True,
    epilog=EXAMPLES,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": True},
)


def _complete_nat(incomplete: str) -> list[str]:
    """The installed backends' names; what follows a colon is the user's to know."""
    from importlib.metadata import entry_points  # noqa: PLC0415  # only Tab pays for it

    return sorted({entry.name for entry in entry_points(group="portmap.backends") if entry.name.startswith(incomplete)})


def _complete_mapping(incomplete: str) -> list[str]:
    return [name for name in ("ip", "backends", "demo") if name.startswith(incomplete)]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"portmap {__version__}")
        raise typer.Exit


Nat = Annotated[
    str, typer.Option("--nat", metavar="SPEC", help="The gateway: NAME[:ARG].", autocompletion=_complete_nat)
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Renewals too; -vv: the wire, on stderr.")]


@app.callback()
def bare(
    mappings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MAPPING]...",
            help="[NAME=][EXT:]INT[/tcp|udp|both], tcp unless said otherwise; none: 30303/both.",
            autocompletion=_complete_mapping,
            show_default=False,
        ),
    ] = None,
    nat: Nat = "any",
    lease: Annotated[str, typer.Option(metavar="DUR", help="The lifetime to ask the gateway for.")] = "10m",
    ip_interval: Annotated[str, typer.Option(metavar="DUR", help="How often to look at the external address.")] = "60s",
    publish: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="Tell a publisher, as in enr:KEYFILE; may be repeated.", show_default=False),
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DUR", help="End by itself after so long.", show_default=False)
    ] = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what goes wrong.")] = False,
    verbose: Verbose = 0,
    version: Annotated[  # noqa: ARG001  # its callback has done it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep ports open through any NAT, until Ctrl-C; then close them."""
    from portmap.cli.hold import Wish, hold  # noqa: PLC0415  # --version and --help need none of it

    wish = Wish.read(mappings or [], nat, lease, ip_interval, publish or [], for_)
    hold(wish, as_json=json, quiet=quiet, verbosity=verbose)


@app.command()
def ip(nat: Nat = "any", json: Json = False, verbose: Verbose = 0) -> None:
    """Print the external address, as the gateway states it."""
    from portmap.cli.ask import print_external_ip  # noqa: PLC0415  # only this command needs it

    print_external_ip(nat, as_json=json, verbosity=verbose)


@app.command()
def backends(json: Json = False) -> None:
    """List the installed backends, the broken ones with the reason."""
    from portmap.cli.ask import print_backends  # noqa: PLC0415  # only this command needs it

    print_backends(as_json=json)


@app.command()
def demo() -> None:
    """Show it all against a simulated router on this machine: no router, no root needed."""
    from portmap.cli.demo import run_demo  # noqa: PLC0415  # only this command needs it

    run_demo()


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its documented code."""
    command: Any = typer.main.get_command(app)
    try:
        code = command.main(args, prog_name="portmap", standalone_mode=False)
    except typer.Abort:
        code = exits.FAULT
    except typer.TyperException as error:
        exits.complain(f"{_message_of(error)} (try: portmap --help)")
        code = exits.USAGE
    except Exception as error:
        from portmap.errors import PortmapError  # noqa: PLC0415  # only the unlucky pay for it

        if not isinstance(error, PortmapError):
            raise
        exits.complain(str(error))
        code = exits.code_of(error)
    sys.exit(code)


def _message_of(error: Exception) -> str:
    tell = getattr(error, "format_message", None)
    return str(tell() if tell else error)
