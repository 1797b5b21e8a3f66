"""The bare form: hold what was asked for until a signal, or until the time is up."""

import time
from collections.abc import Sequence
from contextlib import ExitStack

from portmap.cli import logs
from portmap.cli.crew import Running
from portmap.cli.instances import Ear, hold_instances
from portmap.cli.prefix import Show, as_named_json, with_names
from portmap.cli.render import as_json_line, for_people, line
from portmap.cli.wish import Wish, folder_of
from portmap.config import Instance
from portmap.events import Event, MappingAdded
from portmap.model import Key, Kind
from portmap.pinhole import PinholeAdded

SHOWN = 8  # ports that are greeted one by one


def hold(wish: Wish, *, metrics: str | None, as_json: bool, quiet: bool, verbosity: int) -> None:
    """Hold until SIGINT, SIGTERM or the end of the time; then delete what is held. Raises PortmapError."""
    logs.set_up(verbosity)
    instances = wish.instances()
    greeting = None if as_json or quiet else Greeting(by_default=wish.flags.mappings is None and wish.config is None)
    with ExitStack() as stack:
        hold_instances(
            instances,
            _shown(instances, as_json=as_json, quiet=quiet, renewals=verbosity > 0),
            greeting=greeting,
            reload=None if wish.config is None else wish.instances,
            state=folder_of(wish.flags.state),
            seconds=wish.seconds,
            ears=_ears(metrics, stack),
        )


class Greeting:
    """What is said to people beside the events: what was asked for, and when all of it is there how to end it."""

    def __init__(self, *, by_default: bool) -> None:
        self._default = "  (the default: no MAPPING was given)" if by_default else ""
        self._opened: dict[str, set[Key]] = {}

    def asked(self, running: Running) -> list[str]:
        """As a session begins."""
        ports = [f"{it.internal_port}/{it.protocol.lower()}" for it in running.session.requests]
        now = time.time()
        lines = [line("asked", f"{_briefly(ports)} via {running.instance.nat or 'none'}{self._default}", now)]
        if running.session.kind is Kind.NONE:
            lines.append(line("none", "no NAT is spoken to: nothing is mapped, the record keeps the local ports", now))
        return lines

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
    from portmap.cli.metrics import Metrics, serving  # noqa: PLC0415  # an extra: only who asks for it needs it

    meter = Metrics()
    stack.enter_context(serving(meter, metrics))
    return [meter]


def _briefly(ports: Sequence[str]) -> str:
    if len(ports) <= SHOWN:
        return " ".join(ports)
    return f"{ports[0]} … {ports[-1]} ({len(ports)} ports)"


def _count(mappings: int) -> str:
    return f"{mappings} mapping" + ("s" if mappings != 1 else "")
