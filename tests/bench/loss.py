"""Five minutes of losing 30 % of all packets between the LAN and the router, both ways: how long is a port shut?

What the router forwards is not lost, so every missed knock is a missed mapping.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.bench.clients import NAMES, OURS, Libtorrent, all_holding
from tests.bench.results import Grid, Row
from tests.lab.lab import Lab
from tests.lab.traffic import Vigil

PERCENT = 30
DURATION = 300  # seconds
LEASES = {20: "", 60: "held for 5 min, no gap", 600: ""}  # seconds, and the bar


def measure(libtorrent: Libtorrent) -> Grid:
    """All leases at once, a lab for each."""
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(lambda lease: _row(libtorrent, lease), LEASES))
    note = (
        f"Knocks missed in {DURATION / 60:.0f} min, ten a second at the most. "
        "The bar names no lease: it is judged at 60 s, renewed some eight times; the default of 600 s hardly once is."
    )
    return Grid(f"{PERCENT} % of packets lost, both ways", note, NAMES, rows)


def _row(libtorrent: Libtorrent, lease: int) -> Row:
    """One lab, everybody with the same lease."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        lab.router.start_miniupnpd()
        contestants = stack.enter_context(all_holding(lab, libtorrent, lease))
        lab.router.lose(PERCENT)
        vigils = {each.name: Vigil(each.is_reached) for each in contestants}
        for vigil in vigils.values():
            stack.callback(vigil.close)
        time.sleep(DURATION)
        cells = {name: f"{len(vigil.missed)} of {vigil.knocks}" for name, vigil in vigils.items()}
        kept = not any(vigils[name].missed for name in OURS)
    return Row(f"{lease} s lease", cells, LEASES[lease], kept if LEASES[lease] else None)
