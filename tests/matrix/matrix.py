"""The whole matrix: cells that are worked on side by side, and the table that they make.

Cells that mostly wait for an answer wait together; the others are busy, so few of them run at once.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from tests.matrix.cell import meet
from tests.matrix.columns import COLUMNS, Column
from tests.matrix.expected import ROWS, quirks_of
from tests.matrix.fault_pairs import PAIRS
from tests.matrix.lan import service
from tests.matrix.outcomes import NotApplicable, Outcome, Raises, Seen
from tests.matrix.pending import PENDING

from portmap.errors import Garbled, GatewayTimeout, NoGateway

WAITING, BUSY = 24, 4  # cells at once
# Rows in which time really passes.
_SLOW = {"slow", "drip", "loss", "reorder", "throttle", "wan_flap", "wrong_internal_port", "wrong_nonce", "(30"}
_NO_ANSWER = tuple(map(Raises, (NoGateway, GatewayTimeout, Garbled)))


_ALL = ROWS | PAIRS


@dataclass(frozen=True, slots=True)
class Cell:
    """A row's name and a column."""

    row: str
    column: Column

    @property
    def expected(self) -> Outcome:
        """What the table promises."""
        return _ALL[self.row].outcomes[COLUMNS.index(self.column)]

    @property
    def waits(self) -> bool:
        """Whether it mostly waits."""
        return bool(_SLOW & set(self.row.split())) or self.expected in _NO_ANSWER

    def __str__(self) -> str:
        return f"{self.row} | {self.column.name}"


PROMISED = tuple(
    cell
    for cell in (Cell(row, column) for row in _ALL for column in COLUMNS)
    if not isinstance(cell.expected, NotApplicable)
)
CELLS = tuple(cell for cell in PROMISED if str(cell) not in PENDING)
Results: TypeAlias = dict[Cell, Future[Seen]]


@contextmanager
def results(cells: Iterable[Cell] = CELLS) -> Iterator[Results]:
    """The cells at work; each result is there when it is there."""
    with service() as port, ThreadPoolExecutor(WAITING) as waiting, ThreadPoolExecutor(BUSY) as busy:
        yield {
            cell: (waiting if cell.waits else busy).submit(meet, cell.column, quirks_of(cell.row), _ALL[cell.row], port)
            for cell in cells
        }


def markdown(results: Results, names: Iterable[str] = ROWS) -> str:
    """What was seen in these rows, as a Markdown table."""
    head = ["router", *(f"`{column.name}`" for column in COLUMNS)]
    rows = [[name, *(_shown(results.get(Cell(name, column))) for column in COLUMNS)] for name in names]
    return "".join(f"| {' | '.join(line)} |\n" for line in [head, ["---"] * len(head), *rows])


def _shown(result: Future[Seen] | None) -> str:
    return "-" if result is None else str(result.result().outcome)
