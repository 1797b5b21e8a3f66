"""XML from strangers as a small tree; pure.

Law: no DTD, no entities, no namespaces, bounded depth and number of elements, one pass. The bytes are already bounded
by whoever received them. What follows the root element is ignored: some routers send NUL bytes or junk there.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from portmap.errors import Garbled

MAX_DEPTH = 32  # a description of an IGD nests 9 deep
MAX_ELEMENTS = 8192  # the largest description seen in the field has about 500
# Else the sender chooses among all of Python's codecs, and some of them warn on stderr.
_ENCODING = re.compile(r"utf-?(8|16)|us-ascii|latin-?1|iso-?8859-[0-9]{1,2}|windows-125[0-9]|koi8-[ru]", re.IGNORECASE)


@dataclass(slots=True)
class Element:
    """One element: its name without prefix, its own text, its children. Attributes say nothing in UPnP."""

    name: str
    text: str = ""
    children: list["Element"] = field(default_factory=list)

    def walk(self) -> Iterator["Element"]:
        """The element and all below it, in document order."""
        ahead = [self]
        while ahead:
            element = ahead.pop()
            yield element
            ahead.extend(reversed(element.children))

    def text_of(self, name: str) -> str:
        """The text of the first child of that name, trimmed; empty where there is none."""
        return next((child.text.strip() for child in self.children if child.name == name), "")


def parse(document: bytes) -> Element:
    """Read a document. Raises Garbled for whatever is not plain, well-formed, moderate XML."""
    builder = _Builder()
    try:
        builder.parser.Parse(document.lstrip(b"\t\r\n "), True)
    except expat.ExpatError as error:
        if not builder.complete:
            raise Garbled(f"the XML is broken: {error}") from error
    except (LookupError, ValueError) as error:  # the number of an encoding that Python does not know
        raise Garbled(f"the XML has an encoding that we do not read: {error}") from error
    if builder.root is None:
        raise Garbled("the XML document is empty")
    return builder.root


class _Builder:
    """Builds the tree from expat's calls, and refuses early."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self.complete = False
        self._open: list[tuple[Element, list[str]]] = []  # and its text so far, in pieces: joining each is quadratic
        self._count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.XmlDeclHandler = self._declaration
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and not _ENCODING.fullmatch(encoding):
            raise Garbled(f"the XML has an encoding that we do not read: {encoding[:40]!r}")

    def _doctype(self, *_: object) -> NoReturn:
        raise Garbled("the XML has a DTD: no gateway needs one, and it can hide entities")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise Garbled(f"the XML has over {MAX_ELEMENTS} elements or nests over {MAX_DEPTH} deep")
        element = Element(name.rpartition(":")[2])
        if self._open:
            self._open[-1][0].children.append(element)
        else:
            self.root = element
        self._open.append((element, []))

    def _end(self, _name: str) -> None:
        element, pieces = self._open.pop()
        element.text = "".join(pieces)
        self.complete = not self._open

    def _text(self, text: str) -> None:
        self._open[-1][1].append(text)
