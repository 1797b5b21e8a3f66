"""The options that several commands share, and what the Tab key completes."""

from collections.abc import Collection
from typing import Annotated

import typer


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


MAPPING = "[NAME=][EXT:]INT[-INT][/tcp|udp|both]; or [INT=]follow, to listen where the gateway says"

Mappings = Annotated[list[str], typer.Argument(metavar="MAPPING...", help=f"{MAPPING}.", show_default=False)]
Nat = Annotated[
    str,
    typer.Option(
        "--nat",
        metavar="SPEC",
        help="The gateway: NAME[:ARG], or several as in pcp,upnp; default: any.",
        show_default=False,
        envvar="PORTMAP_NAT",
        show_envvar=False,
        autocompletion=complete_nat,
    ),
]
MaybeNat = Annotated[
    str | None,
    typer.Option(
        "--nat",
        metavar="SPEC",
        help="The gateway: NAME[:ARG], or several as in pcp,upnp; default: any.",
        show_default=False,
        autocompletion=complete_nat,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, one object a line.")]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, help="Log to stderr; -vv: the messages on the wire, too.", show_default=False
    ),
]
Lease = Annotated[
    str | None,
    typer.Option(metavar="DUR", help="The lifetime to ask the gateway for; default: 10m.", show_default=False),
]
IpInterval = Annotated[
    str | None,
    typer.Option(
        metavar="DUR", help="How often to check the gateway and its address; default: 60s.", show_default=False
    ),
]
Publish = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SPEC",
        help="Tell a publisher: exec:CMD, file:PATH, http:URL, enr:KEYFILE, ...; repeatable.",
        show_default=False,
        autocompletion=complete_publisher,
    ),
]
For = Annotated[
    str | None, typer.Option("--for", metavar="DUR", help="End by itself after this time.", show_default=False)
]
State = Annotated[
    str | None,
    typer.Option(
        metavar="DIR|none",
        help="The folder that remembers ports over restarts; default: the XDG state folder.",
        show_default=False,
        envvar="PORTMAP_STATE",
        show_envvar=False,
    ),
]
OnConflict = Annotated[
    str | None,
    typer.Option(
        metavar="next|fail", help="If the external port is taken: use the next one, or fail.", show_default=False
    ),
]
Prove = Annotated[
    str | None,
    typer.Option(
        metavar="URL[,every=DUR]",
        help="A responder outside that tries the ports, again and again; else no host outside is asked.",
        show_default=False,
    ),
]
Config = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="What to hold, as TOML; SIGHUP reads it again.",
        show_default=False,
        envvar="PORTMAP_CONFIG",
        show_envvar=False,
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:]PORT",
        help="Serve metrics to Prometheus.",
        show_default=False,
        envvar="PORTMAP_METRICS",
        show_envvar=False,
    ),
]
OnlyIPv4 = Annotated[bool, typer.Option("-4", help="IPv4 mappings only.")]
OnlyIPv6 = Annotated[bool, typer.Option("-6", help="IPv6 pinholes only.")]
AllowPrivate = Annotated[bool, typer.Option("--allow-private", help="Announce an address that is not public.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only what goes wrong.")]
