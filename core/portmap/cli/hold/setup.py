"""Keeps what was asked for: what is shown, who listens, and what is said to people beside the events."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from portmap.cli import logs
from portmap.cli.hold.arguments import Wish
from portmap.cli.hold.sessions import Running
from portmap.cli.hold.supervisor import Ear, hold_instances
from portmap.cli.output.events import Show, as_json_line, as_named_json, for_people, line, with_names
from portmap.cli.signals import Ending
from portmap.cli.state_folder import folder_of
from portmap.config.settings import Instance
from portmap.events import Event, MappingAdded, PinholeAdded
from portmap.model import Key, Kind


def keep(
    wish: Wish,
    instances: Sequence[Instance],
    ending: Ending,
    *,
    metrics: str | None,
    as_json: bool,
    quiet: bool,
    verbosity: int,
) -> None:
    """Keep these instances until the end is asked for. Raises PortmapError."""
    logs.set_up(verbosity)
    with ExitStack() as stack:
        hold_instances(
            instances,
            _shown(instances, as_json=as_json, quiet=quiet, renewals=verbosity > 0),
            ending=ending,
            greeting=None if as_json or quiet else Greeting(),
            reload=None if wish.config is None else wish.instances,
            state=folder_of(wish.flags.state),
            seconds=wish.seconds,
            ears=_ears(metrics, stack),
        )


class Greeting:
    """That nothing will happen where there is no NAT, and when all the ports are open, how to end it."""

    def __init__(self) -> None:
        self._opened: dict[str, set[Key]] = {}

    def asked(self, running: Running) -> list[str]:
        """As a session begins."""
        if running.session.kind is not Kind.NONE:
            return []
        text = "no NAT is spoken to: nothing is mapped, the record keeps the local ports"
        return [line("none", text, time.time())]

    def after(self, running: Running, event: Event) -> list[str]:
        """Once, when all the ports of a session are open."""
        if not isinstance(event, MappingAdded | PinholeAdded):
            return []
        opened = self._opened.setdefault(running.name, set())
        wanted = {request.key for request in running.session.requests}
        before = wanted <= opened
        opened.add(event.key)
        if before or not wanted <= opened:
            return []
        return [line("holding", f"{_count(len(wanted))}; Ctrl-C closes", time.time())]


def _shown(instances: Sequence[Instance], *, as_json: bool, quiet: bool, renewals: bool) -> Show:
    if not as_json:
        return with_names(for_people(quiet=quiet, renewals=renewals), instances)
    return as_named_json if len(instances) > 1 else lambda _, event, at: as_json_line(event, at)


def _ears(metrics: str | None, stack: ExitStack) -> list[Ear]:
    if metrics is None:
        return []
    from portmap.cli.hold.metrics import Metrics, serving  # noqa: PLC0415  # an extra: only who asks for it needs it

    meter = Metrics()
    stack.enter_context(serving(meter, metrics))
    return [meter]


def _count(mappings: int) -> str:
    return f"{mappings} mapping" + ("s" if mappings != 1 else "")
