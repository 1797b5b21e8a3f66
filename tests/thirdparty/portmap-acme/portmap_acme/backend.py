"""The backend `acme`: `acme:ADDRESS` or `acme:ADDRESS:PORT`; without an argument, a router on this machine."""

from ipaddress import AddressValueError, IPv4Address
from typing import ClassVar

from portmap import Garbled, Grant, Kind, Protocol, SpecError, hookimpl
from portmap_acme.protocol import TIMEOUT, ask

PORT = 4711


class Acme:
    """Speaks the Acme Port Protocol to one router."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self, router: IPv4Address, port: int = PORT, timeout: float = TIMEOUT) -> None:
        self._router = (str(router), port)
        self._timeout = timeout

    @classmethod
    def from_argument(cls, argument: str | None) -> "Acme":
        """Parse ADDRESS[:PORT]. Raises SpecError."""
        address, colon, port = ("127.0.0.1" if argument is None else argument).partition(":")
        try:
            router = IPv4Address(address)
        except AddressValueError as error:
            raise SpecError(f"acme: {address!r} is no IPv4 address: write acme:192.168.1.1") from error
        if not colon:
            return cls(router)
        if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
            raise SpecError(f"acme: {port!r} is no port: use 1 to 65535")
        return cls(router, int(port))

    def __str__(self) -> str:
        return f"Acme {self._router[0]}"

    @hookimpl
    def external_ip(self) -> IPv4Address:
        """The address outside."""
        words = self._ask("ADDRESS")
        try:
            return IPv4Address(words[0] if words else "")
        except AddressValueError as error:
            raise Garbled(f"{self} states {words} as its external address") from error

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        """Open or renew; the protocol has no names."""
        words = self._ask(f"OPEN {protocol} {external_port or internal_port} {internal_port} {lifetime}")
        if len(words) != 2 or not all(word.isascii() and word.isdecimal() and len(word) <= 10 for word in words):
            raise Garbled(f"{self} granted {words}, which is no port and lifetime")
        return Grant(int(words[0]), int(words[1]))

    @hookimpl
    def delete_mapping(self, protocol: Protocol, internal_port: int) -> None:
        """Shut; the router knows whose it is by our address."""
        self._ask(f"SHUT {protocol} {internal_port}")

    def _ask(self, question: str) -> list[str]:
        return ask(self._router, question, self._timeout)
