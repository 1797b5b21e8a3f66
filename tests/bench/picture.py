"""The pictures of the bench, drawn from docs/bench.json: bars for light and dark. `python -m tests.bench.picture`.

Pure but for `main`.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from tests.bench import record

DOCS = record.FILE.parent
RESTART = "Seconds from a restart of the daemon to bytes arriving again"
PROGRAMS = "Process start to mapping made, seen in the router's kernel"
APPLICATIONS = "Process start to port open, seen in the router's kernel"
START = "Milliseconds from the start of the program to the open port, seen in the router's kernel"
MEDIAN = "median, ms"

_WIDTH, _LABEL, _BAR, _LINE = 860, 260, 460, 22
_STYLE = (
    "text{font:14px sans-serif;fill:#24292f}.head{font-weight:bold}.ours{fill:#0969da}.other{fill:#8c959f}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ours{fill:#58a6ff}.other{fill:#6e7681}}"
)

Figures = Mapping[str, Mapping[str, float | None]]


def draw(title: str, figures: Figures) -> str:
    """An SVG: a group of bars for each row. A program without a figure was given up: its bar is full, with `never`."""
    longest = max(value for row in figures.values() for value in row.values() if value is not None) or 1.0
    lines: list[str] = []
    y = 30
    for name, row in figures.items():
        y += _LINE
        lines.append(f'<text class="head" x="10" y="{y}">{escape(name)}</text>')
        for program, value in row.items():
            y += _LINE
            width = _BAR if value is None else max(1.0, _BAR * value / longest)
            kind = "ours" if program.startswith("portmap") else "other"
            shown = "not within the time" if value is None else f"{value:g}"
            lines += [
                f'<text x="{_LABEL - 8}" y="{y}" text-anchor="end">{escape(program)}</text>',
                f'<rect class="{kind}" x="{_LABEL}" y="{y - 13}" width="{width:.1f}" height="16"/>',
                f'<text x="{_LABEL + width + 6:.1f}" y="{y}">{shown}</text>',
            ]
    head = f'<text class="head" x="10" y="24">{escape(title)}</text>'
    size = f'width="{_WIDTH}" height="{y + 16}" viewBox="0 0 {_WIDTH} {y + 16}"'
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">\n'
        f"<style>{_STYLE}</style>\n{head}\n{body}\n</svg>\n"
    )


def drawn() -> dict[Path, str]:
    """Each picture of which there are figures."""
    measurements = record.read().get("measurements", {})
    pictures: dict[Path, str] = {}
    if RESTART in measurements:
        pictures[DOCS / "bench-restart.svg"] = draw(RESTART, measurements[RESTART])
    if {PROGRAMS, APPLICATIONS} <= measurements.keys():
        starts = {
            "programs that map ports": measurements[PROGRAMS][MEDIAN],
            "applications that map their own port": measurements[APPLICATIONS][MEDIAN],
        }
        pictures[DOCS / "bench-start.svg"] = draw(START, starts)
    return pictures


def main() -> None:
    """Write them."""
    for path, text in drawn().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
