"""The simulated router, and the real NAT-PMP backend behind the real loop, for sequences of anything that can happen.

Real sockets, a jumping clock. As in `scripted_model`, every fault is in the diary.
"""

import math
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from random import Random
from typing import Any

from tests.matrix.cell import Recorder
from tests.matrix.columns import UPTIME
from tests.matrix.events import moves
from tests.matrix.jumping_clock import JumpingInbox, Scene
from tests.matrix.lan import add_entry, ours
from tests.matrix.scripted_model import Diary, Step

from portmap.backends.nat import Nat
from portmap.loop.inbox import Register
from portmap.loop.loop import Loop
from portmap.model import PortRequest, Protocol
from portmap.simulator.quirk_options import SWITCHES
from portmap.testing import Entry, Quirks, Router, loopback_address
from portmap_natpmp import NatPmp, Timeouts

PORT = 30303
REQUESTS = [PortRequest(protocol, PORT, lifetime=120) for protocol in Protocol]
SLOWEST_RENEWAL = 75.0  # seconds: 5/8 of that; a second reboot soon after the first does not show (RFC 6886 §3.6)
HASTY = Timeouts(first_wait=0.01, deadline=0.04)  # seconds that really pass
PATIENT = Timeouts(first_wait=0.01, deadline=2.0)  # while nothing keeps the router from answering: it may be starved
MAY_SILENCE = ("silent", "garbage", "truncated", "loss", "wrong_sender", "reorder", "wrong_internal_port")
HARMLESS = {"duplicate", "other_port", "caps_lifetime", "epoch_reset", "conflict"}
_GOOD = Quirks()


class RouterWorld:
    """A router that lives through the steps, and then through so many seconds of calm.

    Afterwards: `left` is what is there of ours, `robbed` what no longer of the neighbour's.
    """

    def __init__(self, router: Router, inbox: JumpingInbox) -> None:
        self.diary = Diary()
        self.left: tuple[Entry, ...] = ()
        self.robbed: list[Entry] = []
        self._router, self._inbox = router, inbox
        self._neighbours: list[Entry] = []
        gateway = IPv4Address(router.address)
        self._backend = NatPmp(None, timeouts=PATIENT, candidates=lambda: [gateway], clock=inbox.now, announced_at=())

    def play(self, steps: list[Step], calm: float) -> None:
        """Run the real loop through it all."""
        scenes: list[Scene] = [(0.0, partial(Register, request)) for request in REQUESTS]
        now = last = 0.0
        for step in steps:
            now += step.pause
            scenes += self._scenes_of(step, now, now + step.length)
            last = max(last, now + step.length)
        self._inbox.tell(scenes, last + calm, self._shut_at)
        Loop(Nat(self._backend, "world"), self._inbox, Recorder(), random=lambda: 0.5).run()
        self.left = ours(self._router, PORT)
        self.robbed = [entry for entry in self._neighbours if entry not in self._router.entries]

    def _scenes_of(self, step: Step, at: float, until: float) -> list[Scene]:
        excuse = self.diary.excuses.append
        match step.what:
            case "reboots" | "reboots, and a neighbour is faster":
                excuse((at, at + SLOWEST_RENEWAL))
                return [(at, partial(self._reboot, neighbour="neighbour" in step.what))]
            case "moves":
                return [(at, partial(moves, self._router))]
            case "sleeps":
                excuse((at, until))
                return [(at, partial(self._inbox.sleep, step.length))]
        if step.what not in HARMLESS:
            excuse((at, until))
        usual = SWITCHES[step.what].usual
        return [(at, partial(self._turn, step.what, usual)), (until, partial(self._turn, step.what, _off(step.what)))]

    def _turn(self, quirk: str, value: Any) -> None:
        self._router.quirks = quirks = replace(self._router.quirks, **{quirk: value})
        silenced = any(getattr(quirks, each) != _off(each) for each in MAY_SILENCE)
        self._backend._timeouts = HASTY if silenced else PATIENT

    def _reboot(self, *, neighbour: bool) -> None:
        self._router.reboot()
        self._neighbours = []
        if neighbour:
            self._neighbours = [Entry(protocol, PORT, "127.0.0.9", 9, 0, "neighbour") for protocol in Protocol]
            for entry in self._neighbours:
                add_entry(self._router, entry)

    def _shut_at(self) -> float:
        entries = ours(self._router, PORT)
        return min(max((it.ends for it in entries if it.protocol is each), default=-math.inf) for each in Protocol)


def _off(quirk: str) -> Any:
    return getattr(_GOOD, quirk)


def live_through(steps: list[Step], calm: float) -> tuple[RouterWorld, list[tuple[float, float]]]:
    """The world afterwards, and the gaps."""
    inbox = JumpingInbox()
    dice = Random(1)  # noqa: S311  # the same at every run
    with Router(loopback_address(), upnp=False, uptime=UPTIME, clock=inbox.now, random=dice) as router:
        world = RouterWorld(router, inbox)
        world.play(steps, calm)
    return world, inbox.gaps.all
