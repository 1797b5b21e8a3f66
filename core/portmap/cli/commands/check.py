"""`portmap check`: can this port be reached from outside, and how do we know."""

from collections.abc import Sequence
from pathlib import Path

from portmap.cli import logs
from portmap.cli.exit_codes import FAULT, OK, UNREACHABLE
from portmap.cli.output.json_and_tables import print_json
from portmap.cli.state_folder import check_readable
from portmap.model import Key
from portmap.printable import printable
from portmap.reachability.verdict import Reachability, Verdict
from portmap.session.check import check

_CODES = {Verdict.OPEN: OK, Verdict.UNKNOWN: FAULT, Verdict.CLOSED: UNREACHABLE}
_ORDER = (Verdict.CLOSED, Verdict.UNKNOWN, Verdict.OPEN)  # the worst first: it gives the exit code


def print_checks(
    ports: Sequence[str], via: str | None, nat: str, state: Path | None, *, as_json: bool, verbosity: int
) -> int:
    """Check and print each port; the exit code of the worst verdict. Raises PortmapError."""
    logs.set_up(verbosity)
    if state is not None:
        check_readable(state)
    verdicts = check(ports, via=via, nat=nat, state=state)
    for found in verdicts:
        if as_json:
            print_json(**found.to_dict())
        else:
            print("\n".join(map(printable, _lines(found))))
    return _CODES[min((found.verdict for found in verdicts), key=_ORDER.index)]


def _lines(found: Reachability) -> list[str]:
    name = Key(found.protocol, found.internal_port, found.host).typed
    where = "" if found.external_ip is None else f" at {_place(found)}"
    took = f", {found.ms} ms" if found.ms is not None else ""
    by = f" by {found.by}" if found.by else ""
    return [
        f"{name}  {found.verdict}{by}{where}{took}",
        f"  {found.reason}",
        *(f"  - {step}" for step in found.steps),
    ]


def _place(found: Reachability) -> str:
    host = f"[{found.external_ip}]" if ":" in str(found.external_ip) else str(found.external_ip)
    return f"{host}:{found.external_port}"
