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
from tests.matrix.outcomes import NotApplicable, Outcome, Raises, allows
from tests.matrix.rows import UPNP_ONLY

from portmap.errors import NoGateway, Refused
from portmap.testing import Router

pytest.importorskip("miniupnpc", reason="miniupnpc has no wheel for this Python")


def _miniupnpc(router: Router, clock: Clock) -> Any:
    return upnp_backend(router, clock, given=False, backend=import_module("portmap_upnp.miniupnpc_backend").Miniupnpc)


OURS = next(column for column in COLUMNS if column.name == "upnp, IGD:1")
SECOND = Column("miniupnpc", _miniupnpc, UPNP_ONLY)
DIFFERS: dict[str, Outcome] = {
    "legacy_service_types": Raises(NoGateway),  # it knows the standard's own names only
    "dead_line_first": Raises(Refused),  # it takes the first service and says which one nowhere
    "double_slash": Raises(NoGateway),  # it takes what follows two slashes for a host
    "throttle": Raises(Refused),  # it does not pause, and never calls again
}


def _expected(row: str) -> Outcome:
    return DIFFERS.get(row) or ROWS[row].outcomes[COLUMNS.index(OURS)]


ROWS_AT_ONCE = [
    row for row, made in ROWS.items() if made.story is None and not isinstance(_expected(row), NotApplicable)
]


@pytest.fixture(scope="module")
def seen() -> Any:
    with service() as port, ThreadPoolExecutor(8) as pool:
        yield {row: pool.submit(meet, SECOND, quirks_of(row), ROWS[row], port) for row in ROWS_AT_ONCE}


@pytest.mark.parametrize("row", ROWS_AT_ONCE)
def test_the_library_comes_to_the_same_as_our_own_client(row: str, seen: Any) -> None:
    outcome = seen[row].result().outcome
    assert allows(_expected(row), outcome), f"ours: {_expected(row)}; miniupnpc: {outcome}"
