"""The bare form: hold what was asked for until a signal, or until the time is up.

Law: what was asked for is said before anything that takes time is imported: whoever typed it shall not look at nothing.
"""

import time
from collections.abc import Sequence

from portmap.cli.hold.arguments import HoldArguments
from portmap.cli.signals import StopSignals
from portmap.config.settings import Instance
from portmap.model import DEFAULT_LIFETIME
from portmap.syntax.durations import clock_time

SHOWN = 8  # ports that are greeted one by one


def hold_ports(wish: HoldArguments, *, metrics: str | None, as_json: bool, quiet: bool, verbosity: int) -> None:
    """Hold until SIGINT, SIGTERM or the end of the time; then delete what is held. Raises PortmapError."""
    plain = not (as_json or quiet)
    named = [instance for instance in wish.resolved() if instance.mappings]
    with StopSignals(reloads=wish.config is not None) as ending:
        if plain:
            _print_asked(named)
        from portmap.cli.hold.setup import run_instances  # noqa: PLC0415  # the law

        instances = wish.instances()
        if plain and not named:
            _print_asked(instances, "  (the default: no MAPPING was given)")
        run_instances(wish, instances, ending, metrics=metrics, as_json=as_json, quiet=quiet, verbosity=verbosity)


def _print_asked(instances: Sequence[Instance], remark: str = "") -> None:
    for instance in instances:
        ports = [f"{it.internal_port}/{it.protocol.lower()}" for it in instance.requests(DEFAULT_LIFETIME)]
        print(f"{clock_time(time.time())} asked    {_briefly(ports)} via {instance.nat or 'none'}{remark}", flush=True)


def _briefly(ports: Sequence[str]) -> str:
    if len(ports) <= SHOWN:
        return " ".join(ports)
    return f"{ports[0]} … {ports[-1]} ({len(ports)} ports)"
