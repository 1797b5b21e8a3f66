"""Seconds from a fault to bytes arriving again: our backends beside libtorrent, in one lab, struck by the same fault.

The clock starts when the fault has done its work and the network is whole again: the daemon answers, the cable is in.
It stops at the first connection that is answered. Each fault has a lab of its own and strikes STAGGER seconds after the
one before; a program that needs longer is waited for beside it, up to LIMIT seconds.
"""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.bench.clients import NAMES, OURS, Contestant, Libtorrent, all_holding
from tests.bench.results import Grid, Row
from tests.lab import faults
from tests.lab.lab import Lab

LIMIT = 90.0  # seconds
# Seconds of holding before a fault. libtorrent goes on searching for a while after its start: it looks like hearing.
# And an epoch younger than an eighth of the check interval tells no client that the router restarted: RFC 6886 §3.6.
SETTLE = 35.0
STAGGER = 10.0  # seconds; no client starts during a fault, or during the first seconds after one
LEASE = 20  # seconds
FROZEN = LEASE + 5.0  # seconds
CHECK = 60.0  # seconds; the default of --ip-interval
ANSWER = 1.0  # seconds in which a check that is due gets its answer and all is mapped


def _reached(contestant: Contestant) -> bool:
    return contestant.is_reached()


def _knows_the_address(contestant: Contestant) -> bool:
    told = contestant.program.told("external_ip.changed")
    return bool(told) and told[-1]["external_ip"] == faults.NEW_WAN


def _everybody_is_frozen(lab: Lab, contestants: list[Contestant]) -> None:
    for each in contestants:
        each.program.process.send_signal(signal.SIGSTOP)
    time.sleep(FROZEN)
    for each in contestants:
        each.program.process.send_signal(signal.SIGCONT)


@dataclass(frozen=True)
class Trial:
    """One fault, and how many seconds each of ours may take; `back` says when it is over."""

    name: str
    bar: str
    limits: dict[str, float]
    strike: Callable[[Lab, list[Contestant]], None]
    back: Callable[[Contestant], bool] = _reached
    lease: int | None = None
    found: dict[str, float | None] = field(default_factory=dict)

    def row(self) -> Row:
        """The result as a line of the table."""
        cells = {name: f"> {LIMIT:.0f} s" if took is None else f"{took:.2f} s" for name, took in self.found.items()}
        reached = all(LIMIT >= limit >= (self.found[name] or LIMIT + 1) for name, limit in self.limits.items())
        return Row(self.name, cells, self.bar, reached if self.limits else None)


def _by(fault: faults.Fault) -> Callable[[Lab, list[Contestant]], None]:
    return lambda lab, _: fault(lab)


def _trials() -> list[Trial]:
    def all_within(seconds: float) -> dict[str, float]:
        return dict.fromkeys(OURS, seconds)

    return [
        Trial(
            "router off for 2 min, its return unheard",
            "one check interval (60 s)",
            all_within(CHECK + ANSWER),
            _by(faults.off_for_two_minutes),
        ),
        Trial(
            "restart, announcements lost",
            "one check interval (60 s)",
            all_within(CHECK + ANSWER),
            _by(faults.restart_unheard),
        ),
        Trial(
            "daemon restart, tables flushed, another HTTP port",
            "1 s of the daemon answering; UPnP, with its new control URL, 2 s",
            all_within(1.0) | {"portmap upnp": 2.0},
            _by(faults.restart),
        ),
        Trial(
            "WAN address change (until told)",
            "event and re-add within 2 s",
            all_within(2.0),
            _by(faults.new_outer_address),
            _knows_the_address,
        ),
        Trial("LAN address change of ours", "3 s", all_within(3.0), _by(faults.new_own_address)),
        Trial("gateway replaced", "5 s", all_within(5.0), _by(faults.another_router)),
        Trial(f"frozen for {FROZEN:.0f} s with a {LEASE} s lease", "none", {}, _everybody_is_frozen, lease=LEASE),
    ]


def measure(libtorrent: Libtorrent) -> Grid:
    """All faults, side by side; those that take long first, so that the others happen meanwhile."""
    trials = _trials()
    with ThreadPoolExecutor(len(trials)) as pool:
        running = []
        for trial in trials:
            running.append(pool.submit(_undergo, trial, libtorrent))
            time.sleep(STAGGER)
        for over in running:
            over.result()
    note = (
        "One run each, all four clients in one lab. libtorrent's port counts as reached by a TCP connection, ours by "
        f"bytes echoed. > {LIMIT:.0f} s: given up."
    )
    return Grid("Seconds from the fault to bytes arriving again", note, NAMES, [trial.row() for trial in trials])


def _undergo(trial: Trial, libtorrent: Libtorrent) -> None:
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        lab.router.start_miniupnpd()
        contestants = stack.enter_context(all_holding(lab, libtorrent, trial.lease))
        time.sleep(SETTLE)
        trial.strike(lab, contestants)
        struck = time.monotonic()
        with ThreadPoolExecutor(len(contestants)) as pool:
            found = {each.name: pool.submit(_seconds_until_back, trial, each, struck) for each in contestants}
        trial.found.update({name: took.result() for name, took in found.items()})


def _seconds_until_back(trial: Trial, contestant: Contestant, struck: float) -> float | None:
    while time.monotonic() < struck + LIMIT:
        if trial.back(contestant):
            return time.monotonic() - struck
        time.sleep(0.02)
    return None
