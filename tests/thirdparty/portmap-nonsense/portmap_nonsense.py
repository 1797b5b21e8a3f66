"""It returns nonsense."""

from ipaddress import IPv4Address
from typing import Any, ClassVar

from portmap import Grant, Kind, SpecError, hookimpl


class Backend:
    kind: ClassVar[Kind] = Kind.LOOP

    @classmethod
    def from_argument(cls, argument: str | None) -> "Backend":
        return cls()

    @hookimpl
    def external_ip(self) -> Any:
        return "here and there"

    @hookimpl
    def add_mapping(self) -> Any:
        return {"port": "yes"}

    @hookimpl
    def delete_mapping(self) -> Any:
        return object()


class OddGrant(Backend):
    """Its answers have the right class and the wrong content. It wants an argument, so that `any` leaves it alone."""

    @classmethod
    def from_argument(cls, argument: str | None) -> "Backend":
        if argument is None:
            raise SpecError("odd-grant needs an argument: write odd-grant:anything")
        return cls()

    @hookimpl
    def external_ip(self) -> Any:
        return IPv4Address("203.0.113.1")

    @hookimpl
    def add_mapping(self) -> Any:
        port: Any = "8080"
        return Grant(port, 600)
