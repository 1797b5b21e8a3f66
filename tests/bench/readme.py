"""The lines of README's table that come from docs/bench.json: `python -m tests.bench.readme` prints them."""

from collections.abc import Mapping

from tests.bench import record
from tests.bench.picture import RESTART

Row = Mapping[str, float | None]


def lines() -> list[str]:
    """One for each kind of restart."""
    measured: dict[str, Row] = record.read()["measurements"][RESTART]
    return [
        f"| the router's daemon restarted: {name} | {_ours(row)} | {_others(row)} |" for name, row in measured.items()
    ]


def _ours(row: Row) -> str:
    known = sorted(value for name, value in row.items() if name.startswith("portmap") and value is not None)
    never = [
        name.removeprefix("portmap ") for name, value in row.items() if name.startswith("portmap") and value is None
    ]
    span = f"{known[0]:g} to {known[-1]:g} s" if known else ""
    return "; ".join(filter(None, [span, f"{', '.join(never)}: not in time" if never else ""]))


def _others(row: Row) -> str:
    told = ((name, value) for name, value in row.items() if not name.startswith("portmap"))
    return "; ".join(f"{name}: {'not in time' if value is None else f'{value:g} s'}" for name, value in told)


if __name__ == "__main__":
    print("\n".join(lines()))
