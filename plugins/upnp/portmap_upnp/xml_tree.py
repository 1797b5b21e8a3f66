"""XML from the network as a small tree.

Pure. Bounded: no DTD with content, no entities of its own, no namespaces, limits of depth and number of elements. The
number of bytes is bounded by the receiver. What follows the root element is ignored: some routers send NUL bytes there.

A document that is not well-formed is read a second time, loosely, tag by tag: bytes that are no UTF-8 (ARRIS
TG2492LG), a bare "&" or "<", control characters, an encoding that is declared and not used, an empty DOCTYPE, tags that
are not closed or closed under another name (TP-Link Archer C9: home-assistant/core#71138), attributes without quotes or
a blank between them. One bad field never costs the rest.
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
_EMPTY_DOCTYPE = re.compile(r"<!DOCTYPE(\s{1,9}[A-Za-z0-9:._-]{1,60})?\s{0,9}(\[\s{0,9}\]\s{0,9})?>", re.IGNORECASE)
_MARKUP = re.compile(r"<(?=/?[A-Za-z_]|!--|!\[CDATA\[|!DOCTYPE|\?)", re.IGNORECASE)
_NO_CHARACTER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")  # all but Char: XML 1.0 §2.2
_TAG = re.compile(r"<(/?)([A-Za-z_][\w:.-]*+)[^<>]*?(/?)>")  # whether it ends an element, its name, whether it is empty
_CDATA = "<![CDATA["
_SECTIONS = {"<!--": "-->", _CDATA: "]]>", "<?": ">"}  # what is no tag, and its end
_ENTITY = re.compile("&(amp|lt|gt|quot|apos);")
_CHARACTERS = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


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
    """Read a document. Raises Garbled for what cannot be read as moderate XML, even loosely."""
    try:
        return _parse(document)
    except _Immoderate:
        raise
    except Garbled as error:
        try:
            root = _parse_loosely(_NO_CHARACTER.sub("", _decode(document)))
        except _Immoderate:
            raise error from None
        if root is None:
            raise
        return root


def _parse(document: bytes) -> Element:
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


def _parse_loosely(text: str) -> Element | None:
    """The tree of the first element; None where it does not end, or where there is a DTD."""
    builder, at = _Builder(), 0
    while not builder.complete:
        if (found := _MARKUP.search(text, at)) is None:
            return None
        begin = found.start()
        if begin > at:
            builder.add_text(_unescaped(text[at:begin]))
        if text[begin + 1] in "!?":
            if (at := _read_section(builder, text, begin)) < 0:
                return None
        elif tag := _TAG.match(text, begin):
            end, name, empty = tag.groups()
            builder.add_tag(name, is_end=bool(end), is_empty=bool(empty))
            at = tag.end()
        else:
            builder.add_text("<")
            at = begin + 1
    return builder.root


def _read_section(builder: "_Builder", text: str, begin: int) -> int:
    """Where the comment, CDATA section, instruction or empty DOCTYPE ends; -1 where it does not, and for a DTD."""
    if doctype := _EMPTY_DOCTYPE.match(text, begin):
        return doctype.end()
    for start, end in _SECTIONS.items():
        if text.startswith(start, begin):
            ends = text.find(end, begin)
            if ends >= 0 and start == _CDATA:
                builder.add_text(text[begin + len(start) : ends])
            return ends + len(end) if ends >= 0 else -1
    return -1


def _unescaped(text: str) -> str:
    return _ENTITY.sub(lambda found: _CHARACTERS[found[1]], text) if "&" in text else text


def _decode(document: bytes) -> str:
    """As UTF-16 where it begins so, else as UTF-8, else byte by byte: every byte is a character of Latin-1."""
    if document[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return document.decode("utf-16", "replace")
    try:
        return document.decode("utf-8-sig")
    except UnicodeDecodeError:
        return document.decode("latin-1")


class _Immoderate(Garbled):
    """Too large or too deep."""


class _Builder:
    """Builds the tree from expat's calls, or from single tags and texts, and refuses early."""

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

    def add_text(self, text: str) -> None:
        """Text of the innermost element; outside of all it says nothing."""
        if self._open:
            self._text(text)

    def add_tag(self, name: str, *, is_end: bool, is_empty: bool) -> None:
        """Begin an element; or end the innermost one of that name with what is open in it, if there is one."""
        if not is_end:
            self._start(name, {})
            if is_empty:
                self._end(name)
            return
        names = [element.name.lower() for element, _ in self._open]
        name = name.rpartition(":")[2].lower()
        while name in names:
            self._end(names[-1])
            if names.pop() == name:
                return

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding and not _ENCODING.fullmatch(encoding):
            raise Garbled(f"the XML has an encoding that we do not read: {encoding[:40]!r}")

    def _doctype(self, *_: object) -> NoReturn:
        raise Garbled("the XML has a DTD: no gateway needs one, and it can hide entities")

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH:
            raise _Immoderate(f"the XML has over {MAX_ELEMENTS} elements or nests over {MAX_DEPTH} deep")
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
