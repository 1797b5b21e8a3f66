"""The backend `miniupnpc` beside `upnp`: the same rows of the matrix, and the results compared.

`DIFFERS` says what the library does otherwise, and why; everywhere else both come to the same.
"""

from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import pytest
from tests.matrix.cell import meet
from tests.matrix.columns import COLUMNS, Clock, Column, upnp_backend
from tests.matrix.expected import ROWS, quirks_of
from tests.matrix.lan import service
from tests.matrix.outcomes import Deceived, NotApplicable, Outcome, Raises, allows
from tests.matrix.pending import PENDING
from tests.matrix.rows import UPNP_ONLY

from portmap.errors import Conflict, NoGateway, Refused
from portmap.testing import Router

pytest.importorskip("miniupnpc", reason="miniupnpc has no wheel for this Python")


def _miniupnpc(router: Router, clock: Clock) -> Any:
    return upnp_backend(router, clock, given=False, backend=import_module("portmap_upnp.miniupnpc_backend").Miniupnpc)


OURS = next(column for column in COLUMNS if column.name == "upnp, IGD:1")
SECOND = Column("miniupnpc", _miniupnpc, UPNP_ONLY)
DIFFERS: dict[str, Outcome] = {
    "legacy_service_types": Raises(NoGateway),  # it knows the standard's own names only
    "first_lines=down": Raises(Refused),  # it takes the first service, whatever comes of it
    **dict.fromkeys(
        (f"first_lines={line}" for line in ("private", "ppp:cgnat", "zero", "empty", "nonsense")), Deceived()
    ),
    **dict.fromkeys((f"first_lines={line}" for line in ("denied", "no_url", "foreign_url")), Raises(NoGateway)),
    "first_lines=no_url,down,ppp:private,denied,zero": Raises(NoGateway),
    "wan_service=WANIPConnection": Raises(NoGateway),  # it compares service types letter by letter
    "wan_service=wanipconnection:1": Raises(NoGateway),
    "odd_types": Raises(NoGateway),
    "read_back=401": Raises(Refused),  # its text for an error has no code, so one refusal is as good as another
    "client_as=blanks": Raises(Conflict),  # it hands out the address with its blanks
    "double_slash": Raises(NoGateway),  # it takes what follows two slashes for a host
    "throttle": Raises(Refused),  # it does not pause, and never calls again
}


def _expected(row: str) -> Outcome:
    return DIFFERS.get(row) or ROWS[row].outcomes[COLUMNS.index(OURS)]


ROWS_AT_ONCE = [
    row
    for row, made in ROWS.items()
    if made.story is None and not isinstance(_expected(row), NotApplicable) and f"{row} | {OURS.name}" not in PENDING
]


@pytest.fixture(scope="module")
def seen() -> Any:
    with service() as port, ThreadPoolExecutor(8) as pool:
        yield {row: pool.submit(meet, SECOND, quirks_of(row), ROWS[row], port) for row in ROWS_AT_ONCE}


@pytest.mark.parametrize("row", ROWS_AT_ONCE)
def test_the_library_comes_to_the_same_as_our_own_client(row: str, seen: Any) -> None:
    outcome = seen[row].result().outcome
    assert allows(_expected(row), outcome), f"ours: {_expected(row)}; miniupnpc: {outcome}"
