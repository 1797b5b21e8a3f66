"""The commands about this host's ports: `ip`, `run`, `open`, `close`, `ls`, `status`, `doctor`."""

from typing import Annotated

import typer

from portmap.cli.options import (
    MAPPING,
    For,
    IpInterval,
    Json,
    Lease,
    MaybeNat,
    Nat,
    OnConflict,
    OnlyIPv4,
    OnlyIPv6,
    Publish,
    Quiet,
    State,
    Verbose,
)
from portmap.errors import SpecError

Mappings = Annotated[list[str], typer.Argument(metavar="MAPPING...", help=f"{MAPPING}, tcp unless said otherwise.")]


def register(app: typer.Typer) -> None:
    """Enter the commands."""
    for command in (ip, run, status, doctor, ls):
        app.command()(command)
    app.command("open")(open_)
    app.command()(close)


def ip(
    nat: Nat = "any",
    only_ipv6: OnlyIPv6 = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="An address that is not public is no failure.")
    ] = False,
    json: Json = False,
    verbose: Verbose = 0,
) -> None:
    """Print the external address, as the gateway states it; not public: exit code 8."""
    from portmap.cli.ask import print_external_ip  # noqa: PLC0415  # only this command needs it

    code = print_external_ip(nat, ipv6=only_ipv6, allow_private=allow_private, as_json=json, verbosity=verbose)
    raise typer.Exit(code)


def run(
    ctx: typer.Context,
    mappings: Mappings,
    nat: MaybeNat = None,
    lease: Lease = None,
    ip_interval: IpInterval = None,
    publish: Publish = None,
    for_: For = None,
    state: State = None,
    on_conflict: OnConflict = None,
    only_ipv4: OnlyIPv4 = False,
    only_ipv6: OnlyIPv6 = False,
    wait: Annotated[str, typer.Option(metavar="DUR", help="How long to wait for the ports.")] = "15s",
    anyway: Annotated[bool, typer.Option("--anyway", help="Start CMD even where they cannot be had.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Hold ports while a program lives: portmap run MAPPING... -- CMD. It gets PORTMAP_*; its exit code is ours."""
    from portmap.cli.group import CHILD  # noqa: PLC0415  # as above
    from portmap.cli.run import run_child  # noqa: PLC0415  # as above
    from portmap.cli.wish import DAY, Wish  # noqa: PLC0415  # as above
    from portmap.durations import parse_duration  # noqa: PLC0415  # only this command needs it

    wish = Wish.read(
        mappings,
        nat=nat,
        lease=lease,
        ip_interval=ip_interval,
        publish=publish or [],
        state=state,
        on_conflict=on_conflict,
        for_=for_,
        only_ipv4=only_ipv4,
        only_ipv6=only_ipv6,
    )
    patience = parse_duration(wait, "--wait", longest=DAY)
    child = ctx.meta.get(CHILD, [])
    raise typer.Exit(run_child(wish, child, patience=patience, anyway=anyway, quiet=quiet, verbosity=verbose))


def open_(
    mappings: Mappings,
    nat: Nat = "any",
    lease: Lease = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Open ports and leave them open until the lease ends, or 'portmap close'."""
    from portmap.cli.oneshot import open_ports  # noqa: PLC0415  # only this command needs it
    from portmap.cli.wish import folder_of  # noqa: PLC0415  # as above
    from portmap.config import lease_of  # noqa: PLC0415  # as above

    lifetime = None if lease is None else lease_of(lease, "--lease")
    open_ports(nat, mappings, lifetime, folder_of(state), as_json=json)


def close(
    mappings: Annotated[
        list[str] | None, typer.Argument(metavar="[MAPPING]...", help="As they were opened.", show_default=False)
    ] = None,
    mine: Annotated[bool, typer.Option("--mine", help="All that 'portmap open' left.")] = False,
    nat: Nat = "any",
    state: State = None,
    json: Json = False,
) -> None:
    """Close what 'portmap open' left open."""
    from portmap.cli.oneshot import close_ports  # noqa: PLC0415  # as above
    from portmap.cli.wish import folder_of  # noqa: PLC0415  # only this command needs it

    close_ports(nat, mappings or [], folder_of(state), mine=mine, as_json=json)


def status(
    name: Annotated[
        str | None, typer.Argument(metavar="[INSTANCE]", help="Its name or process id.", show_default=False)
    ] = None,
    state: State = None,
    check: Annotated[bool, typer.Option("--check", help="Say nothing; exit code 0 if all is well, else 1.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every second, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """Show what running instances on this host hold."""
    from portmap.cli.status import run_status  # noqa: PLC0415  # as above
    from portmap.cli.wish import folder_of  # noqa: PLC0415  # only this command needs it

    folder = folder_of(state)
    if folder is None:
        raise SpecError("without a state folder nobody tells its status: name one with --state")
    raise typer.Exit(run_status(folder, name, check=check, watch=watch, as_json=json))


def doctor(
    mapping: Annotated[
        str | None, typer.Argument(metavar="[MAPPING]", help="The port to look at.", show_default=False)
    ] = None,
    nat: Nat = "any",
    stun: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Ask this server how the world sees us.", show_default=False)
    ] = None,
    try_it: Annotated[bool, typer.Option("--try", help="Really map the port for a minute, and remove it.")] = False,
    report: Annotated[bool, typer.Option("--report", help="A block to paste, addresses made unreadable.")] = False,
    capture: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write down all that is said on the wire.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Find out what is in the way of being reached: one verdict, and what to do next."""
    from portmap.cli.doctor import Wish, run_doctor  # noqa: PLC0415  # only this command needs it

    wish = Wish.read(mapping, nat, stun, capture, try_it=try_it)
    raise typer.Exit(int(run_doctor(wish, as_one_object=json, report=report)))


def ls(
    nat: Nat = "any",
    mine: Annotated[bool, typer.Option("--mine", help="Only what portmap made on this host.")] = False,
    json: Json = False,
) -> None:
    """List the gateway's own table, and whose is ours."""
    from portmap.cli.ls import print_table_of  # noqa: PLC0415  # only this command needs it

    print_table_of(nat, mine=mine, as_json=json)
