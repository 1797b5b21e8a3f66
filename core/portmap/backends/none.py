"""The backend `none`: no NAT is spoken to. It enters by the same door as everybody's."""

from typing import ClassVar, NoReturn

from portmap.errors import NoGateway, SpecError
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Kind


class NoNat:
    """`none`, `off` or nothing: no NAT is spoken to. The dispatcher never calls its hooks in earnest."""

    kind: ClassVar[Kind] = Kind.NONE

    @classmethod
    def from_argument(cls, argument: str | None) -> "NoNat":
        """No argument makes sense here."""
        if argument is not None:
            raise SpecError(f"none takes no argument, but was given {argument!r}: write 'none' alone")
        return cls()

    def __str__(self) -> str:
        return "no NAT"

    @hookimpl
    def external_ip(self) -> Address:
        """There is none to be had."""
        _no_nat()

    @hookimpl
    def add_mapping(self) -> Grant:
        """Nothing is mapped."""
        _no_nat()

    @hookimpl
    def delete_mapping(self) -> None:
        """Nothing is held."""


def _no_nat() -> NoReturn:
    raise NoGateway("there is no NAT to speak to: choose a backend with --nat")
