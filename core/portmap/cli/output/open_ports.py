"""What `portmap open` and `portmap close` print: a line for the ports that agree, one for each that does not. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from portmap.model import PortRequest, at_host
from portmap.storage.journal import JournalEntry
from portmap.syntax.durations import format_duration


@dataclass(frozen=True, slots=True)
class OpenedPort:
    """A port that is open. `address`: the external one, "?" where it is not known; `remark`: what is to be added.

    `note`: what the gateway or another portmap has to do with it.
    """

    request: PortRequest
    external_port: int
    lifetime: int
    address: str
    remark: str = ""
    note: str = ""

    @property
    def why_elsewhere(self) -> str:
        """Why it is not the external port that was asked for, as the end of a sentence."""
        return f": {self.note}" if self.note else ", which is taken"

    @property
    def as_asked(self) -> bool:
        """Whether it has the external port that was asked for; with `follow` none was."""
        return self.request.follow or self.external_port == self.request.suggested_port

    def continues(self, before: "OpenedPort") -> bool:
        """Whether it is told in one line with the port before it."""
        mine, other = self.request, before.request
        return (
            self.as_asked
            and before.as_asked
            and not (mine.follow or other.follow)
            and mine.key == other.key._replace(internal_port=other.internal_port + 1)
            and self.external_port == before.external_port + 1
            and (self.lifetime, self.address, self.remark) == (before.lifetime, before.address, before.remark)
        )


def opened_lines(ports: Iterable[OpenedPort]) -> list[str]:
    """The lines, in the order of the ports, TCP before UDP."""
    groups: list[list[OpenedPort]] = []
    for port in sorted(ports, key=lambda port: (port.request.protocol, port.address)):
        if groups and port.continues(groups[-1][-1]):
            groups[-1].append(port)
        else:
            groups.append([port])
    return [_opened_line(group) for group in groups]


def _opened_line(group: Sequence[OpenedPort]) -> str:
    first, last = group[0], group[-1]
    request = first.request
    inside = _span(request.internal_port, last.request.internal_port) + at_host(request.host)
    outside = _span(first.external_port, last.external_port)
    address = f"[{first.address}]" if ":" in first.address else first.address
    lease = format_duration(first.lifetime) if first.lifetime else ""
    how_long = f"for {lease}" if lease else "until it is closed: leases are not known there"
    verb = "are" if len(group) > 1 else "is"
    line = f"{inside}/{request.protocol.lower()} {verb} open at {address}:{outside} "
    other_port = "" if first.as_asked else f", not at {request.suggested_port}{first.why_elsewhere}"
    return line + (first.remark or how_long) + other_port


def closed_lines(entries: Iterable[JournalEntry], what: str = "closed") -> list[str]:
    """The lines for closed ports; a range is one line."""
    groups: list[list[JournalEntry]] = []
    for entry in sorted(entries, key=lambda entry: (entry.protocol, entry.ipv6)):
        before = groups[-1][-1] if groups else None
        if before and (entry.key, entry.ipv6) == (
            before.key._replace(internal_port=before.internal_port + 1),
            before.ipv6,
        ):
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return [_closed_line(group, what) for group in groups]


def _closed_line(group: Sequence[JournalEntry], what: str) -> str:
    first, last = group[0], group[-1]
    verb = "are" if len(group) > 1 else "is"
    over = " over IPv6" if first.ipv6 else ""
    inside = _span(first.internal_port, last.internal_port) + at_host(first.host)
    return f"{inside}/{first.protocol.lower()} {verb} {what}{over}"


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
