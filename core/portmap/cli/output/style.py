"""How lines look: colours, width and letters, as far as a stream can show them. In a pipe, lines are never wrapped."""

import os
import shutil
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self, TextIO

from portmap.cli.terminal import can_show
from portmap.printable import printable
from portmap.syntax.durations import clock_time

if TYPE_CHECKING:
    from portmap.config.settings import Instance

BOLD, FAINT, RED, GREEN, YELLOW, BLUE, MAGENTA = "1", "2", "31", "32", "33", "34", "35"  # SGR: ECMA-48 §8.3.117
COLOURS = {
    "mapped": GREEN,
    "pinhole": GREEN,
    "renewed": GREEN,
    "gateway": BLUE,
    "external": BLUE,
    "outside": MAGENTA,
    "removed": YELLOW,
    "notice": YELLOW,
    "failed": RED,
    "lost": RED,
    "$": BOLD,
}
"""The colour of the text after a line's word; other lines have none. The picture in README is drawn with these."""

_NARROWEST = 20  # columns of text; on a narrower terminal, lines are not wrapped


class Style(NamedTuple):
    """What a stream can show. `width`: its columns; 0: lines are as long as they are."""

    colour: bool = False
    ascii: bool = False
    width: int = 0

    def paint(self, text: str, code: str) -> str:
        """The text in that colour, where there are colours."""
        return f"\033[{code}m{text}\033[0m" if self.colour and code else text

    def plain(self, text: str) -> str:
        """The text in letters that the stream has, without control characters."""
        text = printable(text)
        return text.replace("…", "...").encode("ascii", "replace").decode() if self.ascii else text

    def wrap(self, text: str, indent: int) -> list[str]:
        """The text in lines of whole words, with room for `indent` columns before each."""
        if self.width - indent < _NARROWEST:
            return [text]
        return textwrap.wrap(text, self.width - indent, break_long_words=False, break_on_hyphens=False) or [""]

    def narrower(self, columns: int) -> Self:
        """The same with fewer columns."""
        return self._replace(width=max(0, self.width - columns))


PLAIN = Style()


def style_of(stream: TextIO) -> Style:
    """What this stream can show. NO_COLOR (no-color.org) and TERM=dumb mean no colours."""
    ascii_only = not can_show(stream, "✓✗–…")  # noqa: RUF001  # a dash, and meant as one
    if not stream.isatty():
        return Style(ascii=ascii_only)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(colour, ascii_only, shutil.get_terminal_size().columns)


def format_line(word: str, text: str, at: float, style: Style = PLAIN) -> str:
    """One aligned line: local time, a word, the text; wrapped where it is too long. `at`: unix time in seconds."""
    head = f"{clock_time(at)} {word:<9}"
    first, *more = style.wrap(style.plain(text), len(head))
    code = COLOURS.get(word, "")
    lines = [style.paint(head, FAINT) + style.paint(first, code)]
    return "\n".join(lines + [" " * len(head) + style.paint(line, code) for line in more])


def with_instance_name(text: str, instance: str, instances: "Sequence[Instance]") -> str:
    """The line with the instance's name in front; as it is where there was only one instance at the start."""
    if len(instances) < 2:
        return text
    width = name_width(instances)
    return f"{instance:<{width - 1}} " + text.replace("\n", "\n" + " " * width)


def name_width(instances: "Sequence[Instance]") -> int:
    """The columns that `with_instance_name` puts in front."""
    return max(len(instance.name) for instance in instances) + 1 if len(instances) > 1 else 0
