"""Exit codes, and how an error ends the command: one line on stderr that says what happened and what to try."""

import os
import sys

from portmap.cli.text import harmless
from portmap.errors import Conflict, GatewayTimeout, NoGateway, PluginError, PortmapError, Refused, SpecError

OK = 0
FAULT = 1  # anything that has no code of its own
USAGE = 2
NO_GATEWAY = 3
REFUSED = 4
CONFLICT = 5
TIMEOUT = 7
UNREACHABLE = 8  # mapped, or mappable, and still out of reach: CGNAT, double NAT, nobody listens
PLUGIN = 9

_CODES: tuple[tuple[type[PortmapError], int], ...] = (  # first match wins: a Conflict is a Refused
    (SpecError, USAGE),
    (PluginError, PLUGIN),
    (NoGateway, NO_GATEWAY),
    (GatewayTimeout, TIMEOUT),
    (Conflict, CONFLICT),
    (Refused, REFUSED),
)


def code_of(error: PortmapError) -> int:
    """The exit code that the README promises for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAULT)


def complain(message: str) -> None:
    """Say on stderr, in one line and without control characters, why the command ends."""
    print(f"portmap: {harmless(' '.join(message.split()))}", file=sys.stderr)


def silence_stdout() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere instead of failing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
