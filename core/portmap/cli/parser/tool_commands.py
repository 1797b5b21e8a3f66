"""The commands about portmap itself, and the tools that come with it."""

from typing import Annotated, Any

import typer

from portmap.cli.parser.bare_group import PlainCommand
from portmap.cli.parser.options import MAPPING, For, Json, Verbose, takes_options
from portmap.config.options import OPTIONS


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for name, group in (("config", config_app), ("service", service_app)):
        app.add_typer(group, name=name)
    app.command(cls=PlainCommand)(backends)
    app.add_typer(plugins_app, name="plugins")
    for command in (demo, router, echo):
        app.command(cls=PlainCommand)(command)


def backends(json: Json = False) -> None:
    """List the installed backends, the broken ones with the reason."""
    from portmap.cli.commands.plugins import print_backends  # noqa: PLC0415  # only this command needs it

    print_backends(as_json=json)


plugins_app = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


@plugins_app.callback()
def plugins(ctx: typer.Context, json: Json = False) -> None:
    """List the installed plugins; write a new one."""
    if ctx.invoked_subcommand is None:
        from portmap.cli.commands.plugins import print_plugins  # noqa: PLC0415  # only this command needs it

        print_plugins(as_json=json)


@plugins_app.command(cls=PlainCommand)
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name, as in --nat NAME.", show_default=False)],
    parent: Annotated[str, typer.Option("--dir", metavar="DIR", help="The folder to write portmap-NAME into.")] = ".",
    publisher: Annotated[bool, typer.Option("--publisher", help="A publisher, not a backend.")] = False,
) -> None:
    """Write a package to start a plugin from.

    The package works as it is, with a gateway in memory or a file, and its contract test passes.
    """
    from portmap.cli.commands.plugins import print_new_plugin  # noqa: PLC0415  # only this command needs it
    from portmap.cli.state_folder import path_of  # noqa: PLC0415  # as above

    print_new_plugin(name, path_of(parent, "--dir"), publisher=publisher)


config_app = typer.Typer(rich_markup_mode=None)


@config_app.callback()
def config_() -> None:
    """Check a configuration file before it is used."""


@config_app.command(cls=PlainCommand)
def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The configuration, as TOML.", show_default=False)],
    json: Json = False,
) -> None:
    """Check a configuration file; print each mistake with its line."""
    from portmap.cli.commands.config import print_check  # noqa: PLC0415  # only this command needs it
    from portmap.cli.state_folder import path_of  # noqa: PLC0415  # as above

    raise typer.Exit(print_check(path_of(file, "FILE"), as_json=json))


service_app = typer.Typer(rich_markup_mode=None)


@service_app.callback()
def service_() -> None:
    """Run portmap as a service of systemd."""


@service_app.command("print", cls=PlainCommand)
@takes_options("service print")
def print_(
    mappings: Annotated[
        list[str] | None, typer.Argument(metavar="[MAPPING]...", help=f"{MAPPING}.", show_default=False)
    ] = None,
    **given: Any,
) -> None:
    """Print a hardened systemd unit.

    It runs portmap with the options given here. Nothing is installed, and no root is needed to run it.
    """
    from portmap.cli.commands.service import print_unit  # noqa: PLC0415  # only this command needs it
    from portmap.cli.hold.arguments import HoldArguments  # noqa: PLC0415  # as above

    arguments = HoldArguments.parse(mappings or [], given)
    arguments.check()
    words = [word for name, value in given.items() if name != "config" for word in OPTIONS[name].words(value)]
    print_unit(words, mappings or [], config=arguments.config, flags=arguments.flags)


def demo() -> None:
    """Show how it works in a few seconds, with a simulated router.

    It runs on loopback: no router and no root is needed.
    """
    from portmap.cli.commands.demo import run_demo  # noqa: PLC0415  # only this command needs it

    run_demo()


def router(
    address: Annotated[
        str, typer.Option(metavar="IP", help="Where to listen: loopback, or a private address of this host.")
    ] = "127.0.0.1",
    pmp: Annotated[bool, typer.Option("--pmp", help="Speak NAT-PMP; if none of these three is given: all.")] = False,
    pcp: Annotated[bool, typer.Option("--pcp", help="Speak PCP.")] = False,
    upnp: Annotated[bool, typer.Option("--upnp", help="Speak UPnP IGD.")] = False,
    igd: Annotated[int, typer.Option(metavar="1|2", help="The version of UPnP IGD.")] = 1,
    quirk: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="Misbehave in this way; repeatable.", show_default=False),
    ] = None,
    external_ip: Annotated[str, typer.Option(metavar="IP", help="The external address to state.")] = "1.2.3.4",
    outside: Annotated[
        str | None,
        typer.Option(
            metavar="IP", help="Where mapped ports are opened; default: a loopback address.", show_default=False
        ),
    ] = None,
    announce: Annotated[
        bool, typer.Option("--announce", help="Send multicast announcements on that interface.")
    ] = False,
    list_quirks: Annotated[bool, typer.Option("--list-quirks", help="Print all quirks as a table and exit.")] = False,
    json: Json = False,
    for_: For = None,
    verbose: Verbose = 0,
) -> None:
    """Simulate a router, to test any client against.

    It can misbehave like real routers: see --list-quirks.
    """
    from portmap.cli.commands.router import RouterArguments, print_quirks, run_router  # noqa: PLC0415  # only this command needs it

    if list_quirks:
        print_quirks(as_json=json)
        return
    protocols = (pmp, pcp, upnp)
    arguments = RouterArguments.read(
        address, outside, external_ip, protocols, igd, quirk or [], announce=announce, for_=for_
    )
    run_router(arguments, as_json=json, verbosity=verbose)


def echo(
    listen: Annotated[
        str, typer.Option(metavar="[ADDR:]PORT", help="Where to answer; without ADDR: on all addresses.")
    ] = "8080",
    behind: Annotated[
        str | None,
        typer.Option(metavar="ADDR", help="The proxy whose headers name the client.", show_default=False),
    ] = None,
    for_: For = None,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Tell clients their address, and try their ports.

    It is the other side of 'check', for a host on the internet. It connects only to the address that asks.
    """
    from portmap.cli.commands.echo import run_echo  # noqa: PLC0415  # only this command needs it
    from portmap.syntax.durations import YEAR, parse_duration  # noqa: PLC0415  # as above

    seconds = parse_duration(for_, "--for", longest=YEAR) if for_ is not None else None
    run_echo(listen, behind, seconds, as_json=json, verbosity=verbose)
