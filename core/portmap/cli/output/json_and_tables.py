"""What goes to standard output: a JSON object a line, for programs; a table, for people.

A JSON object has the version `v`, and stands on one line. Text in a table is printable.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from portmap.printable import printable

JSON_VERSION = 1
_GAP = "  "  # between columns
_LEAST = 8  # columns to which a cell is cut at most


def json_line(**told: Any) -> str:
    """One JSON object on one line."""
    return json.dumps({"v": JSON_VERSION, **told}, separators=(",", ":"))


def print_json(**told: Any) -> None:
    """Print it at once: a program may be reading the pipe line by line."""
    print(json_line(**told), flush=True)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns aligned, the last one as long as it is."""
    for line in table_lines(heads, rows):
        print(line)


def table_lines(heads: Sequence[str], rows: Iterable[Sequence[str]], width: int = 0) -> list[str]:
    """Columns aligned, the last one as long as it is. With `width`, long cells are cut so that lines fit. Pure."""
    table = [list(heads), *([printable(cell) for cell in cells] for cells in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(heads))]
    least = [max(len(head), _LEAST) for head in heads]
    while width and sum(widths) + len(_GAP) * (len(heads) - 1) > width:
        columns = [column for column, its in enumerate(widths) if its > least[column]]
        if not columns:
            break
        widths[max(columns, key=widths.__getitem__)] -= 1
    return [
        _GAP.join(f"{_cut(cell, its):<{its}}" for cell, its in zip(cells, widths, strict=True)).rstrip()
        for cells in table
    ]


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"
