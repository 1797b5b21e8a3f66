"""What people read while ports are held: the events, a range as one line, and what portmap has to say beside them."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from portmap.cli.hold.sessions import RunningSession
from portmap.cli.output.events import HumanRenderer
from portmap.cli.output.port_runs import PortRunCollector, Shown
from portmap.cli.output.ports import ports_text
from portmap.cli.output.style import PLAIN, Style, format_line, name_width, with_instance_name
from portmap.config.settings import Instance
from portmap.events import Event, GatewayFound, PortAdded
from portmap.model import DEFAULT_LIFETIME, Key, Kind, PortRequest
from portmap.syntax.plugin_specs import interface_in

if TYPE_CHECKING:
    from portmap.network.listening_sockets import ListeningSocket

Listening: TypeAlias = Callable[[Iterable[int]], "Sequence[ListeningSocket] | None"]


def _listening(ports: Iterable[int]) -> "Sequence[ListeningSocket] | None":
    from portmap.network.listening_sockets import listening  # noqa: PLC0415  # once all is open, there is time for it

    return listening(ports)


def _egress_note(gateway: str, interface: str | None) -> str:
    from portmap.network.egress import egress_note  # noqa: PLC0415  # once the gateway has answered, as above

    return egress_note(gateway, interface)


class HumanLines:
    """The lines about events, as the supervisor wants them: `lines(instance, event, at)`. Main thread only."""

    def __init__(
        self, instances: Sequence[Instance], *, quiet: bool = False, renewals: bool = False, style: Style = PLAIN
    ) -> None:
        self._instances = instances
        self._quiet = quiet
        self._renewals = renewals
        self._style = style.narrower(name_width(instances))
        self._renderers: dict[str, HumanRenderer] = {}
        self._collectors: dict[str, PortRunCollector] = {}
        self.expect(instances)

    def expect(self, instances: Sequence[Instance]) -> None:
        """These instances run from now on; their ranges are told as one line."""
        for instance in instances:
            for mapping in instance.mappings:
                self._collector(instance.name).expect(mapping.requests(DEFAULT_LIFETIME))

    def __call__(self, instance: str, event: Event, at: float) -> str | None:
        """The line, or several, that an event makes due; None for none."""
        return self._text(instance, self._collector(instance).add(event), at)

    def rest(self, at: float) -> str | None:
        """The lines of ranges that never became complete."""
        texts = [self._text(name, collector.rest(), at) for name, collector in self._collectors.items()]
        return "\n".join(filter(None, texts)) or None

    def _text(self, instance: str, shown: Iterable[Shown], at: float) -> str | None:
        lines = [line for it in shown if (line := self._renderer(instance)(it, at)) is not None]
        return "\n".join(with_instance_name(line, instance, self._instances) for line in lines) or None

    def _renderer(self, instance: str) -> HumanRenderer:
        if instance not in self._renderers:
            self._renderers[instance] = HumanRenderer(quiet=self._quiet, renewals=self._renewals, style=self._style)
        return self._renderers[instance]

    def _collector(self, instance: str) -> PortRunCollector:
        return self._collectors.setdefault(instance, PortRunCollector())


class HumanMessages:
    """What is said beside the events, each once: no NAT, traffic that leaves elsewhere, all is open, no listener."""

    def __init__(
        self,
        style: Style = PLAIN,
        instances: Sequence[Instance] = (),
        sockets: Listening = _listening,
        egress: Callable[[str, str | None], str] = _egress_note,
    ) -> None:
        self._style = style.narrower(name_width(instances))
        self._instances = instances
        self._sockets = sockets
        self._egress = egress
        self._noted: set[tuple[str, str]] = set()
        self._opened: dict[str, set[Key]] = {}

    def on_start(self, running: RunningSession) -> list[str]:
        """As a session begins."""
        if running.session.kind is not Kind.NONE:
            return []
        text = "no NAT is spoken to: nothing is mapped, the record keeps the local ports"
        return [self._line(running.name, "none", text)]

    def after_event(self, running: RunningSession, event: Event) -> list[str]:
        """After the line about an event."""
        match event:
            case GatewayFound() if running.session.kind is Kind.LOOP:
                return self._once(running.name, self._egress(event.gateway, interface_in(running.instance.gateway)))
            case PortAdded():
                return self._on_opened(running, event.key)
        return []

    def _on_opened(self, running: RunningSession, key: Key) -> list[str]:
        """Once, when all the ports of a session are open."""
        opened = self._opened.setdefault(running.name, set())
        wanted = {request.key for request in running.session.requests}
        before = wanted <= opened
        opened.add(key)
        if before or not wanted <= opened:
            return []
        holding = self._line(running.name, "holding", f"{_count(len(wanted))}; Ctrl-C closes")
        return [holding, *self._once(running.name, self._unheard(running.session.requests))]

    def _unheard(self, requests: Sequence[PortRequest]) -> str:
        """That no program listens on some of the ports; empty where all are served, or this system does not tell."""
        fixed = [request for request in requests if not (request.follow or request.host)]
        sockets = self._sockets([request.internal_port for request in fixed])
        if sockets is None:
            return ""
        served = {(socket.protocol, socket.port) for socket in sockets}
        unserved = [
            PortRequest(it.protocol, it.internal_port) for it in fixed if (it.protocol, it.internal_port) not in served
        ]
        return f"no program listens on {ports_text(unserved)} of this computer yet" if unserved else ""

    def _once(self, instance: str, text: str) -> list[str]:
        if not text or (instance, text) in self._noted:
            return []
        self._noted.add((instance, text))
        return [self._line(instance, "notice", text)]

    def _line(self, instance: str, word: str, text: str) -> str:
        return with_instance_name(format_line(word, text, time.time(), self._style), instance, self._instances)


def _count(mappings: int) -> str:
    return f"{mappings} mapping" + ("s" if mappings != 1 else "")
