"""Exit codes, and how an error ends the command: one line on stderr that says what happened and what to try.

With --json the error is printed on stdout too, as an object whose `event` is `error`.
"""

import errno
import sys
from collections.abc import Sequence
from contextlib import suppress

from portmap.cli.terminal import discard_output
from portmap.errors import (
    Conflict,
    GatewayTimeout,
    NoGateway,
    NoPublicAddress,
    PluginError,
    PortmapError,
    Refused,
    SpecError,
)
from portmap.printable import printable

OK = 0
FAULT = 1  # anything that has no code of its own
USAGE = 2
NO_GATEWAY = 3
REFUSED = 4
CONFLICT = 5
TIMEOUT = 7
UNREACHABLE = 8  # mapped, or mappable, and still out of reach: CGNAT, double NAT, no program listens
PLUGIN = 9

_CODES: tuple[tuple[type[PortmapError], int], ...] = (  # first match wins: a Conflict is a Refused
    (SpecError, USAGE),
    (PluginError, PLUGIN),
    (NoGateway, NO_GATEWAY),
    (GatewayTimeout, TIMEOUT),
    (Conflict, CONFLICT),
    (NoPublicAddress, UNREACHABLE),
    (Refused, REFUSED),
)


def exit_code_of(error: Exception) -> int:
    """The exit code that the README promises for an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAULT)


def print_error(message: str) -> None:
    """Say on stderr, in one line and without control characters, why the command ends."""
    with suppress(OSError):  # stderr is closed: there is no way to say it
        print(f"portmap: {printable(' '.join(message.split()))}", file=sys.stderr)


def report_error(error: Exception, words: Sequence[str]) -> int:
    """Say why the command ends, in the way that its words ask for; the exit code."""
    match error:
        case OSError(errno=errno.ENOSPC, filename=None):
            message = f"standard output cannot be written: {error.strerror}"
        case OSError():
            message = f"{error.filename or 'the system'}: {error.strerror or error}"
        case _:
            message = str(error)
    code = exit_code_of(error)
    print_error(message)
    if "--json" in words and not isinstance(error, OSError):
        from portmap.cli.output.json_and_tables import print_json  # noqa: PLC0415  # only who fails pays for it

        print_json(event="error", error=type(error).__name__, reason=message, exit=code)
    return code


def flush_stdout() -> int:
    """Write what is yet to be written. 0, or FAULT where it has no place; a reader who has gone is no fault."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output(sys.stdout)
    except OSError as error:
        discard_output(sys.stdout)
        print_error(f"standard output cannot be written: {error.strerror or error}")
        return FAULT
    return OK
