"""Runs the instances with everything around them: log, output, metrics, reload, state folder."""

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from portmap.cli import logs
from portmap.cli.exit_codes import print_error
from portmap.cli.hold.arguments import HoldArguments
from portmap.cli.hold.human_lines import HumanLines, HumanMessages
from portmap.cli.hold.supervisor import EventConsumer, supervise
from portmap.cli.output.events import LineFormatter, as_json_line, json_with_instance_name
from portmap.cli.output.style import style_of
from portmap.cli.signals import StopSignals
from portmap.cli.state_folder import state_folder
from portmap.config.settings import Instance


def run_instances(arguments: HoldArguments, instances: Sequence[Instance], ending: StopSignals) -> None:
    """Keep these instances until the end is asked for. Raises PortmapError."""
    logs.set_up(arguments.verbosity, print_error)
    style = style_of(sys.stdout)
    lines = HumanLines(instances, quiet=arguments.quiet, renewals=arguments.verbosity > 0, style=style)

    def reload() -> Sequence[Instance]:
        wanted = arguments.instances()
        lines.expect(wanted)
        return wanted

    with ExitStack() as stack:
        supervise(
            instances,
            _json_lines(instances) if arguments.json else lines,
            ending=ending,
            greeting=None if arguments.json or arguments.quiet else HumanMessages(style, instances),
            reload=None if arguments.config is None else reload,
            state=state_folder(arguments.said.state),
            seconds=arguments.seconds,
            consumers=_event_consumers(arguments.metrics, stack),
        )
    if (rest := lines.rest(time.time())) is not None:
        print(rest, flush=True)


def _json_lines(instances: Sequence[Instance]) -> LineFormatter:
    return json_with_instance_name if len(instances) > 1 else lambda _, event, at: as_json_line(event, at)


def _event_consumers(metrics: str | None, stack: ExitStack) -> list[EventConsumer]:
    if metrics is None:
        return []
    from portmap.cli.hold.metrics import Metrics, serve_metrics  # noqa: PLC0415  # an extra: only who asks for it needs it

    meter = Metrics()
    stack.enter_context(serve_metrics(meter, metrics))
    return [meter]
