"""The lines of README's table that come from docs/bench.json: `python -m tests.bench.readme` prints them."""

from collections.abc import Mapping

from tests.bench import record
from tests.bench.picture import APPLICATIONS, MEDIAN, PROGRAMS, RESTART

Row = Mapping[str, float | None]


def lines() -> list[str]:
    """Two for the start of the program, then one for each kind of restart."""
    measurements = record.read()["measurements"]
    programs, applications = measurements[PROGRAMS][MEDIAN], measurements[APPLICATIONS][MEDIAN]
    measured: dict[str, Row] = measurements[RESTART]
    restarts = [
        f"| the router's daemon restarted: {name} | {_ours(row)} | {_others(row)} |" for name, row in measured.items()
    ]
    by_upnp, by_any = programs["portmap upnp"], programs["portmap any"]
    upnp = _named(programs, "upnpc", "miniupnpc")
    others = f"{_named(applications, 'transmission-daemon', 'libtorrent')}, {_named(programs, 'natpmpc')}"
    return [
        f"| `--nat upnp`: from the start of the command to the open port | {_seconds(by_upnp)} | {upnp} |",
        f"| `--nat any`, the same | {_seconds(by_any)} | {others} |",
        *restarts,
    ]


def _named(row: Mapping[str, float], *names: str) -> str:
    return ", ".join(f"{name} {_seconds(row[name])}" for name in names)


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.2f} s"


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
