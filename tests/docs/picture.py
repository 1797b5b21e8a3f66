"""Draws docs/portmap.svg, the picture of the demo: `python -m tests.docs.picture`.

Each line is one that `portmap demo` printed, as one text element, in the colours of a terminal.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from portmap.cli.output import style

PICTURE = Path(__file__).parents[2] / "docs" / "portmap.svg"
COMMAND = "$ portmap demo"

_WIDTH, _HEIGHT, _LINE, _LEFT, _TOP = 7.23, 12, 18, 16, 52  # pixels; the first is a letter's
_HEAD = 18  # columns of time and word, as `portmap.cli.output.events` aligns them
_SHADES = {
    style.GREEN: "#7ee787",
    style.BLUE: "#79c0ff",
    style.MAGENTA: "#d2a8ff",
    style.YELLOW: "#ffa657",
    style.RED: "#ff7b72",
    style.BOLD: "#ffffff",
}
_COLOURS = {word: _SHADES[code] for word, code in style.COLOURS.items()}
_PLAIN, _FAINT, _GROUND = "#c9d1d9", "#8b949e", "#0d1117"
_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">
<title>portmap demo: map a port, reboot the router, the port is open again</title>
<rect width="100%" height="100%" rx="8" fill="{ground}"/>
<circle cx="20" cy="18" r="6" fill="#ff5f56"/><circle cx="40" cy="18" r="6" fill="#ffbd2e"/>
<circle cx="60" cy="18" r="6" fill="#27c93f"/>
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="{size}" style="white-space:pre">
{lines}
</g>
</svg>
"""


def demo() -> list[str]:
    """What the command prints."""
    words = [sys.executable, "-m", "portmap", "demo"]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()


def draw(lines: Sequence[str]) -> str:
    """The picture of these lines."""
    shown = [COMMAND, *lines]
    return _FRAME.format(
        width=round(max(map(len, shown)) * _WIDTH) + 2 * _LEFT,
        height=_TOP + len(shown) * _LINE,
        ground=_GROUND,
        size=_HEIGHT,
        lines="\n".join(_texts(shown)),
    )


def shown_in(picture: str) -> list[str]:
    """The lines of a picture, the command first."""
    root = ET.fromstring(picture)  # noqa: S314  # our own file
    return ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]


def _texts(lines: Sequence[str]) -> Iterator[str]:
    for row, line in enumerate(lines):
        head, rest = (line[:_HEAD], line[_HEAD:]) if row else ("", line)
        colour = _COLOURS.get(line[9:_HEAD].strip(), _PLAIN)
        spans = f'<tspan fill="{_FAINT}">{escape(head)}</tspan>' if head else ""
        spans += f'<tspan fill="{colour}">{escape(rest)}</tspan>'
        yield f'<text x="{_LEFT}" y="{_TOP + row * _LINE}">{spans}</text>'


if __name__ == "__main__":
    PICTURE.write_text(draw(demo()), encoding="utf-8")
