"""The commands about this host's ports: `ip`, `run`, `open`, `close`, `ls`, `status`, `check`, `doctor`."""

import os
from typing import Annotated, Any

import typer

from portmap.cli.parser.bare_group import PlainCommand
from portmap.cli.parser.options import (
    Interface,
    Json,
    Lease,
    Mappings,
    MaybeNat,
    Nat,
    OnlyIPv4,
    OnlyIPv6,
    State,
    Verbose,
    takes_options,
)
from portmap.errors import SpecError
from portmap.syntax.plugin_specs import on_interface


def register(app: typer.Typer) -> None:
    """Enter the commands, those that are used most first."""
    app.command(cls=RunCommand)(run)
    for command in (ip, check, doctor, status, ls):
        app.command(cls=PlainCommand)(command)
    app.command("open", cls=PlainCommand)(open_)
    app.command(cls=PlainCommand)(close)


class RunCommand(PlainCommand):
    """Its usage line ends with the program, which the parser never sees."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The words after the command."""
        return [*super().collect_usage_pieces(ctx), "-- CMD [ARG]..."]


def ip(
    nat: Nat = "any",
    interface: Interface = None,
    only_ipv4: Annotated[bool, typer.Option("-4", help="The IPv4 address; the default.")] = False,
    only_ipv6: Annotated[bool, typer.Option("-6", help="The IPv6 address.")] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="Accept an address that is not public.")
    ] = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Print the external address, as the gateway states it.

    Exit code 8 if it is not public, as behind double NAT: then no host on the internet can reach it.
    """
    from portmap.cli.commands.ip import print_external_ip  # noqa: PLC0415  # only this command needs it

    if only_ipv4 and only_ipv6:
        raise SpecError("-4 and -6 ask for two addresses: ask for one at a time")
    code = print_external_ip(
        on_interface(nat, interface), ipv6=only_ipv6, allow_private=allow_private, as_json=json, verbosity=verbose
    )
    raise typer.Exit(code)


def check(
    ports: Annotated[
        list[str],
        typer.Argument(metavar="PORT...", help="[EXT:]INT[@HOST][/tcp|udp|both], as in 25565.", show_default=False),
    ],
    via: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="A responder on the internet that tries the port: 'portmap echo', or echoip.",
            show_default=False,
        ),
    ] = None,
    nat: Nat = "any",
    interface: Interface = None,
    state: State = None,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Say whether a port can be reached from outside.

    It says how that was found out. Exit code 0: open, 8: closed, 1: unknown.
    No host on the internet is asked except the one that --via names.
    """
    from portmap.cli.commands.check import print_checks  # noqa: PLC0415  # only this command needs it
    from portmap.cli.state_folder import folder_to_read  # noqa: PLC0415  # as above

    raise typer.Exit(
        print_checks(ports, via, on_interface(nat, interface), folder_to_read(state), as_json=json, verbosity=verbose)
    )


@takes_options("run")
def run(
    ctx: typer.Context,
    mappings: Mappings,
    *,
    wait: Annotated[str, typer.Option(metavar="DUR", help="How long to wait for the ports before CMD.")] = "15s",
    anyway: Annotated[bool, typer.Option("--anyway", help="Start CMD even if the ports cannot be opened.")] = False,
    **given: Any,
) -> None:
    """Hold ports while a program lives.

    The program finds PORTMAP_EXTERNAL_PORT, PORTMAP_EXTERNAL_IP and more in its environment. portmap ends with its exit
    code.
    """
    from portmap.cli.hold.arguments import HoldArguments  # noqa: PLC0415  # as above
    from portmap.cli.hold.run import run_with_child  # noqa: PLC0415  # as above
    from portmap.cli.parser.bare_group import CHILD  # noqa: PLC0415  # as above
    from portmap.syntax.durations import DAY, parse_duration  # noqa: PLC0415  # as above

    arguments = HoldArguments.parse(mappings, given)
    timeout = parse_duration(wait, "--wait", longest=DAY)
    raise typer.Exit(run_with_child(arguments, ctx.meta.get(CHILD, []), timeout=timeout, anyway=anyway))


def open_(
    mappings: Mappings,
    nat: Nat = "any",
    interface: Interface = None,
    lease: Lease = None,
    state: State = None,
    only_ipv4: OnlyIPv4 = False,
    only_ipv6: OnlyIPv6 = False,
    json: Json = False,
) -> None:
    """Open ports, and leave them so until the lease ends.

    'portmap close' closes them earlier. Ctrl-C during the command closes what it has opened so far.
    """
    from portmap.cli.commands.open import open_ports  # noqa: PLC0415  # only this command needs it
    from portmap.cli.state_folder import state_folder  # noqa: PLC0415  # as above
    from portmap.config.options import parse_lease  # noqa: PLC0415  # as above
    from portmap.config.settings import environment_layer  # noqa: PLC0415  # as above

    lifetime = environment_layer(os.environ).lease if lease is None else parse_lease(lease, "--lease")
    if only_ipv4 and only_ipv6:
        raise SpecError("-4 and -6 exclude each other: leave out both to have IPv4 and IPv6")
    folder = state_folder(state)
    raise typer.Exit(
        open_ports(
            on_interface(nat, interface),
            mappings,
            lifetime,
            folder,
            ipv4=not only_ipv6,
            ipv6=not only_ipv4,
            as_json=json,
        )
    )


def close(
    mappings: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MAPPING]...", help="As written for open; for --force without @HOST.", show_default=False
        ),
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="Close all that 'portmap open' left open.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also delete entries of other programs that lead to this host.")
    ] = False,
    nat: MaybeNat = None,
    interface: Interface = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Close what 'portmap open' left open.

    Each port is closed at the gateway where it was opened. --nat names the gateway where that was not noted, and for
    --force.
    """
    from portmap.cli.commands.close import close_ports, force_close_ports  # noqa: PLC0415  # as above
    from portmap.cli.state_folder import state_folder  # noqa: PLC0415  # only this command needs it
    from portmap.config.settings import environment_layer  # noqa: PLC0415  # as above

    nat = nat or environment_layer(os.environ).nat
    if interface is not None:
        nat = on_interface(nat or "any", interface)
    close_them = force_close_ports if force else close_ports
    raise typer.Exit(close_them(nat, mappings or [], state_folder(state), mine=mine, as_json=json))


def status(
    name: Annotated[
        str | None, typer.Argument(metavar="[INSTANCE]", help="Its name or process id.", show_default=False)
    ] = None,
    state: State = None,
    check: Annotated[bool, typer.Option("--check", help="Print nothing; exit code 0 if all is well, else 1.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat every second until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Show what running instances on this host hold."""
    from portmap.cli.commands.status import run_status  # noqa: PLC0415  # as above
    from portmap.cli.state_folder import status_folders  # noqa: PLC0415  # as above

    raise typer.Exit(run_status(status_folders(state), name, check=check, watch=watch, as_json=json))


def doctor(
    mapping: Annotated[
        str | None,
        typer.Argument(metavar="[MAPPING]", help="The port of this host to look at, as in 25565.", show_default=False),
    ] = None,
    nat: Nat = "any",
    interface: Interface = None,
    stun: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Ask this server for our external address; two (A:PORT+B:PORT) also tell how the NAT behaves.",
            show_default=False,
        ),
    ] = None,
    via: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="A responder on the internet that tries the port: see check.", show_default=False
        ),
    ] = None,
    try_it: Annotated[bool, typer.Option("--try", help="Open the port for a minute, and close it again.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Print a block to paste into a forum; addresses are masked.")
    ] = False,
    capture: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Record every message on the wire in this file.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Find out why a port cannot be reached, and what to do next.

    Changes nothing, unless with --try. Exit code 0 if nothing is wrong, else that of the fault.
    """
    from portmap.cli.commands.doctor import DoctorArguments, run_doctor  # noqa: PLC0415  # only this command needs it

    arguments = DoctorArguments.read(mapping, on_interface(nat, interface), stun, capture, try_it=try_it, via=via)
    raise typer.Exit(int(run_doctor(arguments, as_one_object=json, report=report)))


def ls(
    nat: Nat = "any",
    interface: Interface = None,
    mine: Annotated[bool, typer.Option("--mine", help="Only what portmap made on this host.")] = False,
    state: State = None,
    json: Json = False,
) -> None:
    """List the gateway's own table of mappings, and which are ours."""
    from portmap.cli.commands.ls import print_gateway_table  # noqa: PLC0415  # only this command needs it
    from portmap.cli.state_folder import folder_to_read  # noqa: PLC0415  # as above

    print_gateway_table(on_interface(nat, interface), folder_to_read(state), mine=mine, as_json=json)
