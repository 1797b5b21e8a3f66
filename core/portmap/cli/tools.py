"""The commands about portmap itself, and the tools that come with it."""

from pathlib import Path
from typing import Annotated

import typer

from portmap.cli.options import MAPPING, Config, For, Json, MaybeNat, Verbose


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for command in (backends, demo, router):
        app.command()(command)
    for name, group in (("plugins", plugins_app), ("config", config_app), ("service", service_app)):
        app.add_typer(group, name=name)


def backends(json: Json = False) -> None:
    """List the installed backends, the broken ones with the reason."""
    from portmap.cli.ask import print_backends  # noqa: PLC0415  # only this command needs it

    print_backends(as_json=json)


plugins_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


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


config_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@config_app.callback()
def config_() -> None:
    """Check a configuration file before it is used."""


@config_app.command()
def check(file: Annotated[Path, typer.Argument(metavar="FILE", help="The configuration, as TOML.")]) -> None:
    """Say whether a configuration makes sense; where not, in which line."""
    from portmap.cli.config import print_check  # noqa: PLC0415  # only this command needs it

    raise typer.Exit(print_check(file))


service_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@service_app.callback()
def service_() -> None:
    """Run as a service of systemd's."""


@service_app.command("print")
def print_(
    mappings: Annotated[
        list[str] | None, typer.Argument(metavar="[MAPPING]...", help=MAPPING, show_default=False)
    ] = None,
    nat: MaybeNat = None,
    config: Config = None,
) -> None:
    """Print a hardened systemd unit; nothing is installed, and no root is needed to run it."""
    from portmap.cli.service import print_unit  # noqa: PLC0415  # only this command needs it

    print_unit(mappings or [], nat, None if config is None else Path(config))


def demo() -> None:
    """Show it all against a simulated router on this machine: no router, no root needed."""
    from portmap.cli.demo import run_demo  # noqa: PLC0415  # only this command needs it

    run_demo()


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
    for_: For = None,
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
