"""Which of several doors holds each mapping: asked in turn until one says yes, and remembered until it is let go.

Law: whoever may have mapped a port is asked to shut it, also one whose answer made no sense. A refusal is never
remembered: the next time everybody is asked again.
"""

import logging
from collections.abc import Callable, Iterable

from portmap.backends.nat import Nat
from portmap.errors import SILENCE, NATError, NoGateway, PluginError, PortmapError, Refused
from portmap.model import Grant, Key

_log = logging.getLogger("portmap.any")


class MappingOwners:
    """The book of who holds what."""

    def __init__(self) -> None:
        self._owners: dict[Key, Nat] = {}
        self._possible_owners: dict[Key, set[Nat]] = {}  # who may have mapped it, too: neither a yes nor a refusal

    def __contains__(self, nat: Nat) -> bool:
        return nat in self._owners.values()

    def owner_of(self, key: Key) -> Nat | None:
        """Who holds the mapping."""
        return self._owners.get(key)

    def forget(self, key: Key) -> None:
        """Nobody needs to hold it any more."""
        self._owners.pop(key, None)

    def add(
        self, key: Key, doors: Iterable[Nat], ask: Callable[[Nat], Grant], is_chosen: Callable[[Nat], bool]
    ) -> Grant:
        """Ask one door after the other.

        What is raised is the first refusal, and silence only if it was the chosen one's: then nobody else is asked.
        """
        refusal: PortmapError | None = None
        for nat in doors:
            try:
                grant = ask(nat)
            except SILENCE as error:
                self.forget(key)
                if is_chosen(nat):
                    raise
                _log.info("%s no longer answers: %s", nat, error)
            except (NATError, PluginError) as error:
                _log.info("%s would not map %s %d: %s", nat, *key, error)
                if not isinstance(error, Refused):
                    self._possible_owners.setdefault(key, set()).add(nat)
                refusal = refusal or error
            else:
                self._owners[key] = nat
                return grant
        raise refusal or NoGateway("no gateway was found yet")

    def delete(self, key: Key, ask: Callable[[Nat], None], otherwise: Nat | None) -> None:
        """Ask who made the mapping, `otherwise` where nobody is known to; and who may have made it, too."""
        nat = self._owners.pop(key, otherwise)
        try:
            if nat is not None:
                ask(nat)
        finally:
            for other in self._possible_owners.pop(key, set()) - {nat}:
                _try(ask, other, key)


def _try(ask: Callable[[Nat], None], nat: Nat, key: Key) -> None:
    try:
        ask(nat)
    except (NATError, PluginError) as error:
        _log.info("%s may still map %s %d: %s", nat, *key, error)
