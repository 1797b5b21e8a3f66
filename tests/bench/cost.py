"""What an hour of holding two mappings costs, measured over WINDOW real seconds and scaled to an hour.

The window is as long as it takes for each mapping to be renewed once, with the default lease of 600 s: 300 to 375 s.
Start-up is not in it. Frames are all that the LAN host sends. Those of ARP come from the kernels: after half a minute
without a packet each of the two asks again for the other's hardware address, whatever the program sends.
"""

import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.clients import LIBTORRENT, NAMES, OURS, Libtorrent, holder
from tests.bench.results import Grid, Row
from tests.lab.lab import Lab

WARM = 5  # seconds after the start
WINDOW = 380  # seconds
HOUR = 3600
FRAMES = {"portmap pmp": 100, "portmap upnp": 250, "portmap any": 100}  # issue 16

_TICKS = 100.0  # a second: USER_HZ, which /proc counts in


@dataclass(frozen=True)
class Sample:
    """Counters of one program at one moment; `resident` in MB."""

    frames: int
    arp: int
    cpu: float
    wakeups: int
    resident: float


def measure(libtorrent: Libtorrent) -> Grid:
    """Everybody at once, each in a lab of its own."""
    with ExitStack() as stack:
        labs = {name: stack.enter_context(Lab()) for name in NAMES}
        pids = {}
        for name, lab in labs.items():
            lab.router.start_miniupnpd()
            program = stack.enter_context(holder(name, lab, libtorrent, "4001/both"))
            for protocol in ("TCP", "UDP"):
                program.wait_for("mapping.added", protocol=protocol)
            pids[name] = program.process.pid
        time.sleep(WARM)
        before = {name: _sample(labs[name], pids[name]) for name in NAMES}
        time.sleep(WINDOW)
        after = {name: _sample(labs[name], pids[name]) for name in NAMES}
    return _grid(before, after)


def _grid(before: dict[str, Sample], after: dict[str, Sample]) -> Grid:
    def an_hour(what: str) -> dict[str, float]:
        return {name: (getattr(after[name], what) - getattr(before[name], what)) * HOUR / WINDOW for name in NAMES}

    frames, arp, cpu, wakeups = map(an_hour, ("frames", "arp", "cpu", "wakeups"))
    packets = {name: frames[name] - arp[name] for name in NAMES}
    resident = {name: after[name].resident for name in NAMES}
    share = {name: seconds / HOUR * 100 for name, seconds in cpu.items()}
    rows = [
        _row("frames sent, ARP included", frames, "{:.0f}", "100, 250 and 100", FRAMES),
        _row("IP packets among them", packets, "{:.0f}"),
        _row("CPU seconds", cpu, "{:.2f}"),
        _row("per cent of a core", share, "{:.4f}", "under 0.05", dict.fromkeys(OURS, 0.05)),
        _row("wake-ups", wakeups, "{:.0f}"),
        _row("MB resident at its end", resident, "{:.1f}", "at most 45", dict.fromkeys(OURS, 45)),
    ]
    note = (
        f"Measured over {WINDOW} s of real time, which holds one renewal of each mapping (TCP and UDP of one port) and "
        f"the checks, and scaled to an hour. {LIBTORRENT} asks for leases of an hour."
    )
    return Grid("An hour of holding two mappings", note, NAMES, rows)


def _row(
    name: str, values: dict[str, float], form: str, bar: str = "", limits: Mapping[str, float] | None = None
) -> Row:
    cells = {who: form.format(value) for who, value in values.items()}
    return Row(name, cells, bar, all(values[who] <= limit for who, limit in limits.items()) if limits else None)


def _sample(lab: Lab, pid: int) -> Sample:
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    tasks = "".join(task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/status"))
    return Sample(
        frames=lab.router.packets_heard(),
        arp=lab.router.arp_heard(),
        cpu=(int(stat[11]) + int(stat[12])) / _TICKS,  # utime and stime: proc(5)
        wakeups=sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", tasks, re.MULTILINE))),
        resident=int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024,
    )
