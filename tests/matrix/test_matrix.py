"""Every shipped backend meets every quirk of the simulated router: `expected` says what comes of it."""

from collections.abc import Callable, Iterator

import pytest
from tests.matrix.expected import ROWS
from tests.matrix.matrix import CELLS, PROMISED, Cell, Results, results
from tests.matrix.outcomes import Seen, allows
from tests.matrix.pending import PENDING

from portmap.model import CALL_DEADLINE
from portmap.simulator.quirk_options import SWITCHES


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest) -> Iterator[Results]:
    """Every cell that is asked for in this run, at work since the first test."""
    items = (item for item in request.session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec"))
    wanted = {item.callspec.params.get("cell") for item in items}
    with results([cell for cell in CELLS if cell in wanted] or CELLS) as running:
        yield running


def those(seen: Results, wrong: Callable[[Seen], object]) -> list[str]:
    """The cells in which something is wrong."""
    return [str(cell) for cell, result in seen.items() if wrong(result.result())]


def test_every_switch_has_a_row() -> None:
    assert SWITCHES.keys() <= {word.partition("=")[0] for name in ROWS for word in name.split()}


def test_what_is_pending_is_promised() -> None:
    assert {str(cell) for cell in PROMISED} >= PENDING


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_comes_of_it_is_what_the_table_says(cell: Cell, seen: Results) -> None:
    outcome = seen[cell].result().outcome
    assert allows(cell.expected, outcome), f"promised: {cell.expected}; seen: {outcome}"


def test_no_client_is_led_to_another_host(seen: Results) -> None:
    assert those(seen, lambda it: it.lured) == []


def test_a_neighbours_mapping_is_left_alone(seen: Results) -> None:
    assert those(seen, lambda it: it.touched) == []


def test_nothing_of_ours_is_left(seen: Results) -> None:
    assert those(seen, lambda it: it.left) == []


def test_every_hook_comes_back_by_itself(seen: Results) -> None:
    assert those(seen, lambda it: it.slowest > CALL_DEADLINE - 1) == []
