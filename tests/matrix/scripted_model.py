"""A scripted gateway with leases, a neighbour and a diary, for sequences of anything that can happen.

Time is scripted. What is open, and until when, is known exactly; every fault is in the diary, so that it can excuse a
gap.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import inf

from tests.matrix.jumping_clock import Gaps

from portmap.backends.nat import Nat
from portmap.errors import Garbled, GatewayTimeout, NoGateway, OutOfResources, Refused
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import GatewayAlert, Message, NetworkAlert, Register, Unregister
from portmap.loop.loop import Loop
from portmap.model import MAX_PORT, Grant, Key, PortRequest, Protocol
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import _ANSWER, Recording, ScriptedBackend

WEB = PortRequest(Protocol.TCP, 8080)
DNS = PortRequest(Protocol.UDP, 53, lifetime=60)
GUEST = PortRequest(Protocol.UDP, 8080)  # comes and goes
KEPT = (WEB, DNS)
CALL = 3.75  # seconds that a call takes which no answer comes
TROUBLES: dict[str, tuple[Callable[[], Exception], str, float]] = {
    "silent": (partial(GatewayTimeout, "no answer comes"), "", CALL),
    "deaf to mapping": (partial(GatewayTimeout, "no answer comes"), "add_mapping", CALL),
    "deaf to questions": (partial(GatewayTimeout, "no answer comes"), "external_ip", CALL),
    "answers are lost": (partial(GatewayTimeout, "no answer comes"), _ANSWER, CALL),
    "answers are garbled": (partial(Garbled, "bytes"), _ANSWER, 0.0),
    "refuses": (partial(Refused, "not today"), "add_mapping", 0.0),
    "refuses the address": (partial(Refused, "not today"), "external_ip", 0.0),
    "full": (partial(OutOfResources, "full"), "add_mapping", 0.0),
    "gone": (partial(NoGateway, "gone"), "", 0.0),
    "broken": (partial(ValueError, "oops"), "", 0.0),
}
"""What is wrong for a while: the error, of which hook (all for none), and the seconds until it comes."""
SLOWEST_RENEWAL = WEB.lifetime * 5 / 8  # seconds until a loss that is not announced is mended


@dataclass(frozen=True, slots=True)
class Step:
    """After a pause, something happens, or is so for a while. Seconds."""

    what: str
    pause: float
    length: float


class WatchedInbox(ScriptedInbox):
    """Scripted time in which the machine may sleep, and the gaps are seen."""

    def __init__(self, story: list[tuple[float, Message]], naps: list[tuple[float, float]], end: float) -> None:
        super().__init__(story, end=end)
        self._naps = sorted(naps)
        self.ends: Callable[[Key], float] = lambda _: -inf
        self.gaps = {request.key: Gaps(since=0.0) for request in KEPT}

    def next(self, until: float) -> Message | None:
        """As on any scripted inbox; who sleeps wakes up late."""
        before, ends = self.seconds, {key: self.ends(key) for key in self.gaps}
        message = self._wake_up(until) or super().next(until)
        for key, gaps in self.gaps.items():
            gaps.passes(before, self.seconds, ends[key])
        return message

    def _wake_up(self, until: float) -> Message | None:
        next_message = -inf if self._messages else self._story[0][0] if self._story else inf
        if not self._naps or self._naps[0][0] > min(max(until, self.seconds), next_message):
            return None
        at, length = self._naps.pop(0)
        self.seconds = max(self.seconds, at) + length
        return NetworkAlert(f"suspended for {length:.0f} s")


@dataclass(slots=True)
class Diary:
    """What happens: messages to the loop, naps, and from when until when the port may be shut for it."""

    story: list[tuple[float, Message]] = field(default_factory=list)
    naps: list[tuple[float, float]] = field(default_factory=list)
    excuses: list[tuple[float, float]] = field(default_factory=list)

    def excused(self, gap: tuple[float, float], mercy: float) -> bool:
        """Whether the port was shut for a reason, or only for `mercy` seconds after it."""
        reasons = [min(until, gap[1]) for since, until in [(0.0, 0.0), *self.excuses] if since <= gap[1]]
        return gap[1] - max(reasons) <= mercy


class World(ScriptedBackend):
    """A gateway that lives through the steps, and then through so many seconds of calm."""

    def __init__(self, steps: list[Step], calm: float) -> None:
        super().__init__()
        self.entries: dict[tuple[Protocol, int], tuple[Key | None, float]] = {}  # (external) -> (whose, until when)
        self.trespasses = 0
        self.diary = Diary([(0.0, Register(request)) for request in KEPT])
        self._losses: list[tuple[float, bool]] = []
        self._other_ports: list[tuple[float, float]] = []
        self._no_port: list[tuple[float, float]] = []
        self._short: list[tuple[float, float]] = []
        now = 0.0
        for step in steps:
            now += step.pause
            self._live_through(step, now, now + step.length)
        self.end = max([now, *(until for _, until in self.diary.excuses)]) + calm

    def play(self) -> tuple[Recording, WatchedInbox]:
        """Run the real loop through it all."""
        self.inbox = inbox = WatchedInbox(self.diary.story, self.diary.naps, self.end)
        inbox.ends = self.open_until
        recorded = Recording(inbox)
        Loop(Nat(self, "world"), inbox, recorded, random=lambda: 0.5).run()
        return recorded, inbox

    def left(self, key: Key) -> bool:
        """Whether something of this request is in the table still."""
        self._settle()
        return any(whose == key for whose, _ in self.entries.values())

    def open_until(self, key: Key) -> float:
        """Until when this request's port is open; -inf where it is not."""
        self._settle()
        ends = max((until for whose, until in self.entries.values() if whose == key), default=-inf)
        return min(ends, self._losses[0][0] if self._losses else inf)

    # What happens --------------------------------------------------------------------------------------------

    def _live_through(self, step: Step, at: float, until: float) -> None:
        diary = self.diary
        if step.what in TROUBLES:
            diary.excuses.append((at, until))
            self.fails(at, until, *TROUBLES[step.what])
            return
        match step.what:
            case "gives no port":
                diary.excuses.append((at, until))
                self._no_port.append((at, until))
            case "gives other ports":
                self._other_ports.append((at, until))
            case "gives short leases":
                self._short.append((at, until))
            case "sleeps":
                diary.naps.append((at, step.length))
                diary.excuses.append((at, until + sum(length for _, length in diary.naps)))
            case "has a guest":
                diary.story += [(at, Register(GUEST)), (until, Unregister(GUEST.key))]
            case _:
                self._befalls(step.what, at)

    def _befalls(self, what: str, at: float) -> None:
        diary = self.diary
        match what:
            case "reboots" | "reboots, and a neighbour is faster":
                self._losses.append((at, "neighbour" in what))
                diary.story.append((at + 0.5, GatewayAlert("rebooted")))
                diary.excuses.append((at, at + 0.5))
            case "forgets":
                self._losses.append((at, False))
                diary.excuses.append((at, at + SLOWEST_RENEWAL))
            case "moves":
                self.moves(at, f"1.2.3.{int(at) % 250 + 1}")
            case "alarms falsely":
                diary.story.append((at, GatewayAlert("rebooted")))
            case "our link changes":
                diary.story.append((at, NetworkAlert("link")))

    def _settle(self) -> None:
        now = self.inbox.seconds
        while self._losses and self._losses[0][0] <= now:
            _, neighbour = self._losses.pop(0)
            mine = list(self.entries) if neighbour else []
            self.entries = {slot: it for slot, it in self.entries.items() if it[0] is None}
            self.entries |= dict.fromkeys(mine, (None, inf))
        self.entries = {slot: it for slot, it in self.entries.items() if it[1] > now}

    def _is(self, times: list[tuple[float, float]]) -> bool:
        return any(since <= self.inbox.seconds < until for since, until in times)

    # The hooks -----------------------------------------------------------------------------------------------

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        """Grant what is held already, else the suggested port or the next free port."""
        self._hear("add_mapping", protocol, external_port, internal_port, lifetime)
        self._settle()
        key = Key(protocol, internal_port)
        held = [port for (_, port), (whose, _) in self.entries.items() if whose == key]
        suggested_port = (external_port or internal_port) + 1000 * self._is(self._other_ports)
        free = (port for port in range(suggested_port, MAX_PORT) if (protocol, port) not in self.entries)
        port = held[0] if held else next(free)
        granted = 20 if self._is(self._short) else lifetime
        self.entries[protocol, port] = key, self.inbox.seconds + granted
        self._suffer(_ANSWER)
        return Grant(0 if self._is(self._no_port) else port, granted)

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        """Forget a mapping; only the loop checks that it is ours."""
        self._hear("delete_mapping", protocol, external_port, internal_port)
        self._settle()
        key = Key(protocol, internal_port)
        self.trespasses += key not in {request.key for request in (*KEPT, GUEST)}
        self.entries = {slot: it for slot, it in self.entries.items() if it[0] != key}
