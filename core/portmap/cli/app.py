"""The command line: what may be written, and what it says of itself."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from portmap import __version__
from portmap.cli import exits
from portmap.cli.group import BareGroup
from portmap.errors import PortmapError

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
    return [name for name in ("ip", "backends", "plugins", "demo", "router") if name.startswith(incomplete)]


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
    state: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|none", help="The folder that remembers ports over restarts; the XDG one.", show_default=False
        ),
    ] = None,
    on_conflict: Annotated[
        str, typer.Option(metavar="next|fail", help="Where the external port is taken: take another one, or fail.")
    ] = "next",
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only what goes wrong.")] = False,
    verbose: Verbose = 0,
    version: Annotated[  # noqa: ARG001  # its callback has done it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep ports open through any NAT, until Ctrl-C; then close them."""
    from portmap.cli.hold import Wish, hold  # noqa: PLC0415  # --version and --help need none of it

    wish = Wish.read(mappings or [], nat, lease, ip_interval, publish or [], for_, state, on_conflict)
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


plugins_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(plugins_app, name="plugins")


@plugins_app.callback()
def plugins(ctx: typer.Context, json: Json = False) -> None:
    """List the installed backends and publishers, with their hooks; 'new' writes one to start from."""
    if ctx.invoked_subcommand is None:
        from portmap.cli.plugins import print_plugins  # noqa: PLC0415  # only this command needs it

        print_plugins(as_json=json)


@plugins_app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The backend's name, as in --nat NAME.")],
    parent: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="The folder to write portmap-NAME into.")
    ] = Path(),
) -> None:
    """Write a package to start a backend from; its contract test passes as it stands."""
    from portmap.cli.plugins import print_new_plugin  # noqa: PLC0415  # only this command needs it

    print_new_plugin(name, parent)


@app.command()
def demo() -> None:
    """Show it all against a simulated router on this machine: no router, no root needed."""
    from portmap.cli.demo import run_demo  # noqa: PLC0415  # only this command needs it

    run_demo()


@app.command()
def router(
    address: Annotated[
        str, typer.Option(metavar="IP", help="Where to listen: loopback, or a private address of this host.")
    ] = "127.0.0.1",
    pmp: Annotated[bool, typer.Option("--pmp", help="Speak NAT-PMP; no protocol named: all of them.")] = False,
    pcp: Annotated[bool, typer.Option("--pcp", help="Speak PCP.")] = False,
    upnp: Annotated[bool, typer.Option("--upnp", help="Speak UPnP IGD.")] = False,
    igd: Annotated[int, typer.Option(metavar="1|2", help="The version of UPnP IGD.")] = 1,
    quirk: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="Misbehave so; may be repeated.", show_default=False),
    ] = None,
    external_ip: Annotated[str, typer.Option(metavar="IP", help="The external address to state.")] = "1.2.3.4",
    outside: Annotated[
        str | None,
        typer.Option(metavar="IP", help="Where mapped ports open; a loopback address of its own.", show_default=False),
    ] = None,
    announce: Annotated[bool, typer.Option("--announce", help="Multicast announcements, on that interface.")] = False,
    list_quirks: Annotated[bool, typer.Option("--list-quirks", help="Print all quirks as a table and exit.")] = False,
    json: Json = False,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DUR", help="End by itself after so long.", show_default=False)
    ] = None,
    verbose: Verbose = 0,
) -> None:
    """Be a simulated router that misbehaves on command, to test any client against."""
    from portmap.cli.router import Wish, print_quirks, run_router  # noqa: PLC0415  # only this command needs it

    if list_quirks:
        print_quirks(as_json=json)
        return
    protocols = (pmp, pcp, upnp)
    wish = Wish.read(address, outside, external_ip, protocols, igd, quirk or [], announce=announce, for_=for_)
    run_router(wish, as_json=json, verbosity=verbose)


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
    except PortmapError as error:
        exits.complain(str(error))
        code = exits.code_of(error)
    sys.exit(code)


def _message_of(error: Exception) -> str:
    tell = getattr(error, "format_message", None)
    return str(tell() if tell else error)
