"""KnownCookies: which cookies of a web interface are kept, and sent back. Bounded: one may set ever-new ones."""

from collections.abc import Iterable

MOST = 16  # names; a client has two at the most, and a proxy before it some


class KnownCookies:
    """The names that were taken first, MOST of them."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def of(self, headers: Iterable[str]) -> list[str]:
        """Those `Set-Cookie` headers whose cookie is known, or can still become so."""
        return [header for header in headers if self._takes(header.partition(";")[0].partition("=")[0].strip())]

    def forget(self) -> None:
        """A new session begins, with cookies of its own."""
        self._names.clear()

    def _takes(self, name: str) -> bool:
        if len(self._names) < MOST:
            self._names.add(name)
        return name in self._names
