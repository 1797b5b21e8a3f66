"""PortChange: what is new about a port since a command was last called for it. Pure.

Port 0 never occurs: an open port has none (`portmap.endpoints`), and a lost one is told by the port that it had.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from portmap.endpoints import JSON_VERSION, Endpoints, OpenPort, PortKey

ADDED, CHANGED, LOST, AGAIN = "added", "changed", "lost", "again"


@dataclass(frozen=True, slots=True)
class PortChange:
    """One change. `port` as it is, or as it was where it is lost; `before` only where it changed."""

    event: str
    port: OpenPort
    gateway: str = ""
    before: OpenPort | None = None

    def words(self) -> dict[str, str]:
        """The value of each placeholder by its name; some are empty."""
        port, before = self.port, self.before
        return {
            "event": self.event,
            "name": port.name,
            "protocol": port.protocol.value,
            "ip": _text(port.external_ip),
            "port": str(port.external_port),
            "internal_port": str(port.internal_port),
            "host": port.host,
            "old_ip": _text(before.external_ip) if before else "",
            "old_port": str(before.external_port) if before else "",
            "gateway": self.gateway,
            "scope": port.scope.value,
        }

    def to_dict(self) -> dict[str, object]:
        """The change as JSON-ready data: the port's own fields, and what it was before."""
        told = {"v": JSON_VERSION, "event": self.event, "gateway": self.gateway, **self.port.to_dict()}
        if self.before:
            told |= {"old_external_ip": _text(self.before.external_ip), "old_external_port": self.before.external_port}
        return told


def changes(told: Mapping[PortKey, OpenPort], state: Endpoints, *, again: bool = False) -> Iterator[PortChange]:
    """The changes from `told` to `state`, the lost ports first. `again`: also the ports that are as they were."""
    wanted = {port.key: port for port in state.ports}
    for key, port in told.items():
        if key not in wanted:
            yield PortChange(LOST, port, state.gateway)
    for key, port in wanted.items():
        before = told.get(key)
        if before is None:
            yield PortChange(ADDED, port, state.gateway)
        elif before != port:
            yield PortChange(CHANGED, port, state.gateway, before)
        elif again:
            yield PortChange(AGAIN, port, state.gateway)


def _text(value: object) -> str:
    return "" if value is None else str(value)
