"""Figures and their tables: medians, extremes, ratios, and the bar each has to reach."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Samples = dict[str, list[float]]
Figures = dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class Bar:
    """What an issue asks of a figure: `text` as it stands there, `met` judged from the medians."""

    text: str
    met: Callable[[Mapping[str, float]], bool]


@dataclass(frozen=True)
class Table:
    """One measurement. `samples` are in `unit`; ratios are to the median of `reference`."""

    title: str
    unit: str
    samples: Samples
    reference: str
    bars: list[Bar] = field(default_factory=list)

    def figures(self) -> Figures:
        """The medians, in `unit`."""
        return {f"median, {self.unit}": {who: round(statistics.median(it), 1) for who, it in self.samples.items()}}

    def markdown(self) -> str:
        """The table, then a line for each bar."""
        medians = {name: statistics.median(values) for name, values in self.samples.items()}
        base = medians[self.reference]
        head = [f"### {self.title}", "", f"| | median {self.unit} | min … max | x {self.reference} | n |"]
        rows = [
            f"| {name} | {medians[name]:.1f} | {min(values):.1f} … {max(values):.1f} "
            f"| {medians[name] / base:.2f} | {len(values)} |"
            for name, values in self.samples.items()
        ]
        bars = [f"- {'reached' if bar.met(medians) else 'MISSED'}: {bar.text}" for bar in self.bars]
        return "\n".join([*head, "|---|--:|--:|--:|--:|", *rows, "", *bars, ""])


@dataclass(frozen=True)
class Row:
    """One line of a grid: a cell a contestant, and the bar for those of ours."""

    name: str
    cells: dict[str, str]
    bar: str = ""
    reached: bool | None = None


@dataclass(frozen=True)
class Grid:
    """Single figures side by side: what is measured down, who is measured across; `note` says how."""

    title: str
    note: str
    contestants: list[str]
    rows: list[Row]
    numbers: Figures = field(default_factory=dict)

    def figures(self) -> Figures:
        """The numbers by row and program, where they are kept; None: not within the time."""
        return self.numbers

    def markdown(self) -> str:
        """The table, and the note."""
        lines = [
            f"| {row.name} | {' | '.join(row.cells.get(who, '') for who in self.contestants)} | {_verdict(row)} |"
            for row in self.rows
        ]
        head = [f"### {self.title}", "", f"| | {' | '.join(self.contestants)} | bar |"]
        return "\n".join([*head, f"|---|{'--:|' * len(self.contestants)}---|", *lines, "", self.note, ""])


def _verdict(row: Row) -> str:
    said = {True: "reached: ", False: "MISSED: ", None: ""}[row.reached]
    return said + row.bar


def interleaved(contestants: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Run A B C A B C …, so that a slow moment of the machine falls on everybody alike."""
    samples: Samples = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            samples[name].append(run())
    return samples
