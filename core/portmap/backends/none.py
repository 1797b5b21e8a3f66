"""The backend `none`: no NAT is spoken to."""

from typing import ClassVar, NoReturn

from portmap.errors import NoGateway, SpecError
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind


class NoNat:
    """`none`, `off` or nothing: no NAT is spoken to. The dispatcher does not call its hooks."""

    kind: ClassVar[Kind] = Kind.NONE

    @classmethod
    def from_argument(cls, argument: str | None) -> "NoNat":
        """Raises SpecError for an argument."""
        if argument is not None:
            raise SpecError("none takes no argument: write 'none' alone")
        return cls()

    def __str__(self) -> str:
        return "no NAT"

    @hookimpl
    def external_ip(self) -> Address:
        """There is none. Raises NoGateway."""
        _no_nat()

    @hookimpl
    def add_mapping(self) -> Grant:
        """Nothing is mapped. Raises NoGateway."""
        _no_nat()

    @hookimpl
    def delete_mapping(self) -> None:
        """Nothing is held."""


def _no_nat() -> NoReturn:
    raise NoGateway("there is no NAT to speak to: choose a backend with --nat")
