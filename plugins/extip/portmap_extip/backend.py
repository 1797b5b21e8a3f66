"""`extip`: the external address is known, ports are forwarded by hand.

For a literal address there is no I/O at all, for a name its lookup and nothing else. The requested ports are taken on
trust.
"""

from collections.abc import Callable
from typing import ClassVar

from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind
from portmap_extip.argument import parse
from portmap_extip.hostname import Hostname


class ExtIp:
    """A known external address, as `source` tells it now."""

    kind: ClassVar[Kind] = Kind.STATIC
    opens_ports: ClassVar[bool] = True

    def __init__(self, source: Callable[[], Address], shown: str) -> None:
        self._source = source
        self._shown = shown

    @classmethod
    def from_argument(cls, argument: str | None) -> "ExtIp":
        """An address, or a host's name. Raises SpecError for one that no other host could reach."""
        known = parse(argument)
        if isinstance(known, str):
            return cls(Hostname(known).address, known)
        return cls(lambda: known, str(known))

    def __str__(self) -> str:
        return f"extip {self._shown}"

    @hookimpl
    def external_ip(self) -> Address:
        """The address as given; that of a name as it is now, looked up at every call."""
        return self._source()

    @hookimpl
    def add_mapping(self, external_port: int, internal_port: int) -> Grant:
        """The port that was asked for, else the internal one."""
        return Grant(external_port or internal_port, lifetime=0, static=True)

    @hookimpl
    def delete_mapping(self) -> None:
        """Nothing was sent, so there is nothing to take back."""
