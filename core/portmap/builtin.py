"""The backends that need no gateway of their own: `none`, and `any`, which races all the others.

They enter by the same door as everybody's: entry points that name these classes.
"""

import logging
from collections.abc import Iterator
from typing import ClassVar, NoReturn

from portmap.errors import SILENCE, NATError, NoGateway, PluginError, PortmapError, Refused, SpecError
from portmap.hookspecs import BACKENDS, Alert, Closer, hookimpl
from portmap.model import Address, Grant, Key, Kind, Protocol
from portmap.nat import Nat
from portmap.plugins import Catalogue
from portmap.race import Race, installed_runners

_log = logging.getLogger("portmap.any")


class NoNat:
    """`none`, `off` or nothing: no NAT is spoken to. The dispatcher never calls its hooks in earnest."""

    kind: ClassVar[Kind] = Kind.NONE

    @classmethod
    def from_argument(cls, argument: str | None) -> "NoNat":
        """No argument makes sense here."""
        _refuse(argument, "none")
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


class AnyGateway:
    """`any`, `auto` or `on`: every installed LOOP backend is asked at once, the first true answer wins.

    A runner-up is kept for when the winner refuses to map. No failure is remembered: when the winner falls silent or
    nobody answered, the next call races again.
    """

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self, race: Race) -> None:
        self._race = race
        self._winner: Nat | None = None
        self._owners: dict[Key, Nat] = {}
        self._unclear: dict[Key, set[Nat]] = {}  # who may have mapped it, too: neither a yes nor a refusal

    @classmethod
    def from_argument(cls, argument: str | None) -> "AnyGateway":
        """No argument makes sense here; go-ethereum drops one silently, we do not."""
        _refuse(argument, "any")
        return cls(Race(lambda: installed_runners(Catalogue(BACKENDS), without=cls)))

    def __str__(self) -> str:
        return str(self._winner) if self._winner else "any"

    @hookimpl
    def external_ip(self) -> Address:
        """The winner's address; a winner that has fallen silent is raced for anew, at once."""
        if self._winner is not None:
            try:
                return self._winner.external_ip()
            except (*SILENCE, PluginError) as error:
                _log.info("%s no longer answers, so all are asked again: %s", self._winner, error)
        self._winner = None
        self._winner, address = self._race.run()
        return address

    @hookimpl
    def add_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, name: str, lifetime: int
    ) -> Grant:
        """Ask who holds the mapping, else the winner, then the runners-up.

        What is told of those who would not is the first refusal, and silence only if it was the winner's, who is
        asked no further: it is raced for anew.
        """
        key = (protocol, internal_port)
        refusal: PortmapError | None = None
        for nat in self._asked_for(key):
            try:
                grant = nat.add_mapping(protocol, external_port, internal_port, name, lifetime)
            except SILENCE as error:
                self._owners.pop(key, None)
                if nat is self._winner:
                    raise
                _log.info("%s no longer answers: %s", nat, error)
            except (NATError, PluginError) as error:
                _log.info("%s would not map %s %d: %s", nat, protocol, internal_port, error)
                if not isinstance(error, Refused):
                    self._unclear.setdefault(key, set()).add(nat)
                refusal = refusal or error
            else:
                self._owners[key] = nat
                return grant
        raise refusal or NoGateway("no gateway was found yet")

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> None:
        """Ask who made the mapping, else the winner; and who may have made it, too."""
        key = (protocol, internal_port)
        nat = self._owners.pop(key, self._winner)
        try:
            if nat is not None:
                nat.delete_mapping(protocol, external_port, internal_port)
        finally:
            for other in self._unclear.pop(key, set()) - {nat}:
                _try_to_delete(other, protocol, external_port, internal_port)

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Watch through everybody; only the winner's alerts, and those of who holds a mapping, are passed on."""
        closers = []
        for nat in self._race.field:
            try:
                closers.append(nat.watch(self._alert_of(nat, alert)))
            except (NATError, PluginError) as error:
                _log.warning("%s cannot watch its gateway: %s", nat.name, error)

        def close_all() -> None:
            for close in closers:
                close()

        return close_all

    def _asked_for(self, key: Key) -> Iterator[Nat]:
        if self._winner is None:
            self._winner, _ = self._race.run()
        first = self._owners.get(key, self._winner)
        yield first
        if first is not self._winner:
            yield self._winner
        yield from (nat for nat in self._race.runners_up(self._winner) if nat is not first)

    def _alert_of(self, nat: Nat, alert: Alert) -> Alert:
        def pass_on(reason: str) -> None:
            if self._winner in (None, nat) or nat in self._owners.values():
                alert(reason)

        return pass_on


def _refuse(argument: str | None, name: str) -> None:
    if argument is not None:
        raise SpecError(f"{name} takes no argument, but was given {argument!r}: write {name!r} alone")


def _try_to_delete(nat: Nat, protocol: Protocol, external_port: int, internal_port: int) -> None:
    try:
        nat.delete_mapping(protocol, external_port, internal_port)
    except (NATError, PluginError) as error:
        _log.info("%s may still map %s %d: %s", nat, protocol, internal_port, error)


def _no_nat() -> NoReturn:
    raise NoGateway("there is no NAT to speak to: choose a backend with --nat")
