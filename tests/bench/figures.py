"""Figures and their tables: medians, extremes, ratios, and the bar each has to reach."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Samples = dict[str, list[float]]


@dataclass(frozen=True)
class Bar:
    """What issue 2 asks of a figure: `text` as it stands there, `met` judged from the medians."""

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


def interleaved(contestants: Mapping[str, Callable[[], float]], rounds: int) -> Samples:
    """Run A B C A B C …, so that a slow moment of the machine falls on everybody alike."""
    samples: Samples = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, run in contestants.items():
            samples[name].append(run())
    return samples
