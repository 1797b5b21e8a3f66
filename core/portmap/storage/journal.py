"""The journal: what a session holds at its gateway, so that the next session can take over after a crash. Pure.

Rules:
- Whatever a file may hold, reading it gives a Journal or raises Garbled.
- A journal is a hint: nothing in it is believed without asking the gateway.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from math import isfinite
from typing import Any

from portmap.errors import Garbled
from portmap.model import MAX_PORT, Key, Protocol

VERSION = 1
MAX_SIZE = 4 * 1024 * 1024  # bytes; 10,000 mappings need a quarter of it


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One mapping at one gateway, which is named as its backend names it.

    `expires` is unix time in seconds, None for a permanent mapping; `held` false: only the port matters any more.
    `token` is what the backend wants back with it. `inner_port`: the internal port by which the gateway knows it,
    where the application follows; 0: that is `internal_port`, or it was not noted. `spec`: the backend that opened
    it, empty where it is the session's; `ipv6`: it is a pinhole. `host`: the neighbour that it leads to as the user
    wrote it, empty for this host; `client`: that one's address.
    """

    gateway: str
    protocol: Protocol
    internal_port: int
    external_port: int
    expires: float | None = None
    held: bool = True
    token: str = ""
    inner_port: int = 0
    spec: str = ""
    ipv6: bool = False
    host: str = ""
    client: IPv4Address | None = None

    @property
    def key(self) -> Key:
        """The identity of the mapping."""
        return Key(self.protocol, self.internal_port, self.host)

    @property
    def target_port(self) -> int:
        """The internal port by which the gateway knows the mapping."""
        return self.inner_port or self.internal_port

    def may_be_held(self, now: float) -> bool:
        """Whether the gateway may still hold it at unix time `now`."""
        return self.held and (self.expires is None or self.expires > now)


@dataclass(frozen=True, slots=True)
class Journal:
    """Every mapping that we made, and its external port; for each backend, what helps it to find its gateway."""

    entries: tuple[JournalEntry, ...] = ()
    hints: tuple[tuple[str, str], ...] = ()

    def entry_of(self, key: Key) -> JournalEntry | None:
        """The mapping of that key; None where there is none."""
        return next((entry for entry in self.entries if entry.key == key), None)

    def hint_for(self, backend: str) -> str:
        """The backend's hint; empty where it gave none."""
        return dict(self.hints).get(backend, "")


def merged(journals: Iterable[Journal]) -> Journal:
    """All in one; where two know of a mapping, the later one's word counts."""
    known = tuple(journals)
    entries = {entry.key: entry for journal in known for entry in journal.entries}
    hints = dict(hint for journal in known for hint in journal.hints)
    return Journal(tuple(entries[key] for key in sorted(entries)), tuple(sorted(hints.items())))


def to_text(journal: Journal) -> str:
    """The journal as a file's content."""
    rows = [
        {
            "gateway": entry.gateway,
            "protocol": entry.protocol,
            "internal_port": entry.internal_port,
            "external_port": entry.external_port,
            "expires": entry.expires,
            "held": entry.held,
            "token": entry.token,
            "inner_port": entry.inner_port,
            **({"spec": entry.spec, "ipv6": entry.ipv6} if entry.spec else {}),
            **({"host": entry.host, "client": str(entry.client or "")} if entry.host else {}),
        }
        for entry in journal.entries
    ]
    return json.dumps({"v": VERSION, "hints": dict(journal.hints), "mappings": rows}, indent=1) + "\n"


def from_text(text: str) -> Journal:
    """The journal that a file's content stands for. Raises Garbled for whatever is none."""
    try:
        content = json.loads(text)
        if content["v"] != VERSION:
            raise Garbled(f"the journal has version {content['v']!r}, and this is version {VERSION}")
        hints = content.get("hints", {})
        return Journal(
            tuple(_entry(row) for row in content["mappings"]),
            tuple((_text(backend), _text(hint)) for backend, hint in hints.items()),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise Garbled(f"no journal: {type(error).__name__}: {error}") from error


def _entry(row: Any) -> JournalEntry:
    held = row["held"]
    if not isinstance(held, bool):
        raise TypeError(f"{row!r} is no mapping")
    return JournalEntry(
        _text(row["gateway"]),
        Protocol(row["protocol"]),
        _port(row["internal_port"], least=0),  # 0: with `follow`, for gateways that need none
        _port(row["external_port"]),
        _time(row["expires"]),
        held,
        _text(row.get("token", "")),
        _port(row.get("inner_port", 0), least=0),
        _text(row.get("spec", "")),
        bool(row.get("ipv6", False)),
        _text(row.get("host", "")),
        IPv4Address(client) if (client := _text(row.get("client", ""))) else None,
    )


def _port(value: Any, least: int = 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= MAX_PORT:
        raise ValueError(f"{value!r} is no port")
    return value


def _time(value: Any) -> float | None:
    """Unix time in seconds, or none. Python's JSON has NaN and Infinity, which no clock shows."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise ValueError(f"{value!r} is no time")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
