"""The bare form: hold what was asked for until a signal, or until the time is up.

What was asked for is printed before anything that takes time is imported, so that the user sees something at once.
"""

import sys
import time
from collections.abc import Sequence

from portmap.cli.hold.arguments import HoldArguments
from portmap.cli.output.ports import asked_text
from portmap.cli.output.style import format_line, name_width, style_of, with_instance_name
from portmap.cli.signals import StopSignals
from portmap.config.settings import Instance
from portmap.model import DEFAULT_LIFETIME
from portmap.syntax.plugin_specs import shown_spec


def hold_ports(arguments: HoldArguments) -> None:
    """Hold until SIGINT, SIGTERM or the end of the time; then delete what is held. Raises PortmapError."""
    plain = not (arguments.json or arguments.quiet)
    named = [instance for instance in arguments.resolved() if instance.mappings]
    with StopSignals() as ending:
        if plain:
            _print_asked(named)
        from portmap.cli.hold.setup import run_instances  # noqa: PLC0415  # it takes time

        instances = arguments.instances()
        if plain and not named:
            _print_asked(instances, "  (the default: no MAPPING was given)")
        run_instances(arguments, instances, ending)


def _print_asked(instances: Sequence[Instance], remark: str = "") -> None:
    style = style_of(sys.stdout).narrower(name_width(instances))
    for instance in instances:
        ports = asked_text(mapping.requests(DEFAULT_LIFETIME) for mapping in instance.mappings)
        text = f"{ports} via {shown_spec(instance.gateway)}{remark}"
        line = format_line("asked", text, time.time(), style)
        print(with_instance_name(line, instance.name, instances), flush=True)
