"""What goes to standard output: a JSON object a line, for programs; a table, for people.

Law: a JSON object has the version `v`, and stands on one line; text in a table drives no terminal.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from portmap.printable import printable

JSON_VERSION = 1


def json_line(**told: Any) -> str:
    """One JSON object on one line."""
    return json.dumps({"v": JSON_VERSION, **told}, separators=(",", ":"))


def print_json(**told: Any) -> None:
    """Print it at once: somebody may be reading a pipe, line by line."""
    print(json_line(**told), flush=True)


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns aligned, the last one as long as it likes."""
    table = [heads, *([printable(cell) for cell in cells] for cells in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(heads) - 1)]
    for *cells, last in table:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)) + f"  {last}")
