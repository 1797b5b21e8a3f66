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
from tests.matrix.rows import UPNP_ONLY

from portmap.errors import Conflict, Garbled, NoGateway, NotAuthorized, Refused
from portmap.testing import Router

pytest.importorskip("miniupnpc", reason="miniupnpc has no wheel for this Python")


def _miniupnpc(router: Router, clock: Clock) -> Any:
    return upnp_backend(router, clock, given=False, backend=import_module("portmap_upnp.miniupnpc_backend").Miniupnpc)


OURS = next(column for column in COLUMNS if column.name == "upnp, IGD:1")
SECOND = Column("miniupnpc", _miniupnpc, UPNP_ONLY)
_WRONG_LINE: dict[str, Outcome] = dict.fromkeys(
    ("private", "ppp:cgnat", "zero", "empty", "nonsense"), Deceived("it takes the first line, whatever its address")
)
_NO_LINE: dict[str, Outcome] = dict.fromkeys(
    ("denied", "no_url", "foreign_url", "no_url,down,ppp:private,denied,zero"), Raises(NoGateway)
)  # it takes the first line, and that one does not work
_UNKNOWN_TYPES = ("wan_service=WANIPConnection", "wan_service=wanipconnection:1", "odd_types", "legacy_service_types")
_EMPTY_YES = ("add_answer", "add_answer=201", "add_answer=202", "add_answer=204")
_NO_WITNESS = ("no_list + read_back", "no_list + read_back=606", "no_list + read_back=zero")
DIFFERS: dict[str, Outcome] = {
    "dead_line_first": Raises(Refused),  # it takes the first line
    "double_slash": Raises(NoGateway),  # it takes what follows two slashes for a host
    "throttle": Raises(Refused),  # it does not pause, and never calls again
    "only_ports": Raises(NotAuthorized),  # its call of AddAnyPortMapping knows no lease
    "forbidden_as_718 + only_ports": Raises(Conflict),
    "bad_rows": Raises(Garbled),  # an entry that cannot be read is no entry to it, and its error is not understood
    "first_lines=down": Raises(Refused),
    **{f"first_lines={line}": outcome for line, outcome in {**_WRONG_LINE, **_NO_LINE}.items()},
    **dict.fromkeys(_UNKNOWN_TYPES, Raises(NoGateway)),  # it knows the standard's own names only, in their own case
    **dict.fromkeys(_EMPTY_YES, Raises(NoGateway)),  # an empty success is an error to it
    **dict.fromkeys(_NO_WITNESS, Raises(Refused)),  # it does not tell "no entry" from "I do not tell"
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
