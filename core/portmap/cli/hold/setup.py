"""Keeps what was asked for: what is shown, who listens, and what is said to people beside the events."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from portmap.cli import logs
from portmap.cli.hold.arguments import HoldArguments
from portmap.cli.hold.sessions import RunningSession
from portmap.cli.hold.supervisor import EventConsumer, supervise
from portmap.cli.output.events import (
    LineFormatter,
    as_json_line,
    format_line,
    human_renderer,
    json_with_instance_name,
    with_instance_names,
)
from portmap.cli.signals import StopSignals
from portmap.cli.state_folder import state_folder
from portmap.config.settings import Instance
from portmap.events import Event, MappingAdded, PinholeAdded
from portmap.model import Key, Kind


def run_instances(
    wish: HoldArguments,
    instances: Sequence[Instance],
    ending: StopSignals,
    *,
    metrics: str | None,
    as_json: bool,
    quiet: bool,
    verbosity: int,
) -> None:
    """Keep these instances until the end is asked for. Raises PortmapError."""
    logs.set_up(verbosity)
    with ExitStack() as stack:
        supervise(
            instances,
            _shown(instances, as_json=as_json, quiet=quiet, renewals=verbosity > 0),
            ending=ending,
            greeting=None if as_json or quiet else HumanMessages(),
            reload=None if wish.config is None else wish.instances,
            state=state_folder(wish.flags.state),
            seconds=wish.seconds,
            ears=_event_consumers(metrics, stack),
        )


class HumanMessages:
    """That nothing will happen where there is no NAT, and when all the ports are open, how to end it."""

    def __init__(self) -> None:
        self._opened: dict[str, set[Key]] = {}

    def on_start(self, running: RunningSession) -> list[str]:
        """As a session begins."""
        if running.session.kind is not Kind.NONE:
            return []
        text = "no NAT is spoken to: nothing is mapped, the record keeps the local ports"
        return [format_line("none", text, time.time())]

    def after_event(self, running: RunningSession, event: Event) -> list[str]:
        """Once, when all the ports of a session are open."""
        if not isinstance(event, MappingAdded | PinholeAdded):
            return []
        opened = self._opened.setdefault(running.name, set())
        wanted = {request.key for request in running.session.requests}
        before = wanted <= opened
        opened.add(event.key)
        if before or not wanted <= opened:
            return []
        return [format_line("holding", f"{_count(len(wanted))}; Ctrl-C closes", time.time())]


def _shown(instances: Sequence[Instance], *, as_json: bool, quiet: bool, renewals: bool) -> LineFormatter:
    if not as_json:
        return with_instance_names(human_renderer(quiet=quiet, renewals=renewals), instances)
    return json_with_instance_name if len(instances) > 1 else lambda _, event, at: as_json_line(event, at)


def _event_consumers(metrics: str | None, stack: ExitStack) -> list[EventConsumer]:
    if metrics is None:
        return []
    from portmap.cli.hold.metrics import Metrics, serve_metrics  # noqa: PLC0415  # an extra: only who asks for it needs it

    meter = Metrics()
    stack.enter_context(serve_metrics(meter, metrics))
    return [meter]


def _count(mappings: int) -> str:
    return f"{mappings} mapping" + ("s" if mappings != 1 else "")
