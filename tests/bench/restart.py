"""Seconds from a restart of the router's daemon, its tables flushed, until bytes arrive again; portmap beside others.

The clock starts when the daemon listens again, and stops at the first knock that is answered. Both settings of
miniupnpd's `system_uptime` are measured: with `yes`, which Debian and OpenWrt ship, its epoch goes on counting. Each
with its announcements heard and with all of them lost. The four run side by side, each in a lab of its own.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench.clients import LIBTORRENT, Libtorrent
from tests.bench.results import Grid, Row
from tests.lab import faults
from tests.lab.command import Portmap, Program
from tests.lab.lab import HOST, HOST6, Lab
from tests.lab.traffic import knock, reach

LIMIT = 150.0  # seconds; two checks of a minute, and half of one
SETTLE = 40.0  # seconds; libtorrent goes on searching for a while after its start
KNOCK = 0.1  # seconds for an answer
CRON = "upnpc in cron, every minute"
MAPPING = {"portmap pmp": "pmp", "portmap pcp": "pcp", "portmap upnp": "upnp", "portmap any": "any"}
PINHOLE = {"portmap pcp, IPv6": "pcp", "portmap upnp, IPv6": "upnp"}
NAMES = [*MAPPING, *PINHOLE, LIBTORRENT, CRON]
ROWS = {
    "announced, the epoch goes on": ("yes", True),
    "announced, the epoch begins again": ("no", True),
    "announcements lost, the epoch goes on": ("yes", False),
    "announcements lost, the epoch begins again": ("no", False),
}
_PEERS = Path(__file__).with_name("peers")
_FIRST_PORT = 4001

Figures = dict[str, float | None]


def measure(libtorrent: Libtorrent) -> Grid:
    """All four restarts."""
    with ThreadPoolExecutor(len(ROWS)) as pool:
        running = {name: pool.submit(_restart, libtorrent, *how) for name, how in ROWS.items()}
        figures = {name: each.result() for name, each in running.items()}
    note = (
        f"One restart each. {LIBTORRENT}'s port counts as reached by a TCP connection, the others by bytes echoed. "
        f"> {LIMIT:.0f} s: given up."
    )
    rows = [Row(name, {who: _cell(seconds) for who, seconds in found.items()}) for name, found in figures.items()]
    return Grid("Seconds from a restart of the daemon to bytes arriving again", note, NAMES, rows, figures)


def _cell(seconds: float | None) -> str:
    return f"> {LIMIT:.0f} s" if seconds is None else f"{seconds:.2f} s"


def _restart(libtorrent: Libtorrent, system_uptime: str, announced: bool) -> Figures:
    with ExitStack() as stack:
        lab = stack.enter_context(Lab(ipv6=True))
        lab.router.start_miniupnpd(system_uptime=system_uptime)
        programs = {
            name: stack.enter_context(_start(lab, libtorrent, name, port))
            for port, name in enumerate(NAMES, _FIRST_PORT)
        }
        for name, program in programs.items():
            program.wait_for("pinhole.added" if name in PINHOLE else "mapping.added", protocol="TCP", timeout=30)
        time.sleep(SETTLE)
        (faults.restart if announced else faults.restart_unheard)(lab, system_uptime=system_uptime)
        begun = time.monotonic()
        with ThreadPoolExecutor(len(NAMES)) as pool:
            waiting = {
                name: pool.submit(_seconds_until_reached, lab, name, port, begun)
                for port, name in enumerate(NAMES, _FIRST_PORT)
            }
        return {name: seconds.result() for name, seconds in waiting.items()}


def _start(lab: Lab, libtorrent: Libtorrent, name: str, port: int) -> Program:
    if name == LIBTORRENT:
        return Program(lab.lan, libtorrent.python, str(_PEERS / "holding_libtorrent.py"), str(port))
    lab.serve(port)
    if name == CRON:
        return Program(lab.lan, libtorrent.python, str(_PEERS / "upnpc_in_cron.py"), HOST, str(port))
    spec, family = (PINHOLE[name], ()) if name in PINHOLE else (MAPPING[name], ("-4",))
    return Portmap(lab.lan, "--nat", spec, *family, str(port))


def _seconds_until_reached(lab: Lab, name: str, port: int, begun: float) -> float | None:
    if name == LIBTORRENT:
        is_open = partial(reach, lab.router.wan, port, KNOCK)
    else:
        is_open = partial(knock, "TCP", HOST6 if name in PINHOLE else lab.router.wan, port, KNOCK)
    while time.monotonic() < begun + LIMIT:
        if lab.internet.inside(is_open):
            return round(time.monotonic() - begun, 2)
        time.sleep(0.02)
    return None
