"""Which backend holds which mapping, and which may hold it, too. Asks none of them."""

from portmap.backends.nat import Nat
from portmap.model import Key


class MappingOwners:
    """By the mapping's key: the backend that granted it, and those whose answer was neither yes nor no."""

    def __init__(self) -> None:
        self._owners: dict[Key, Nat] = {}
        self._possible_owners: dict[Key, set[Nat]] = {}

    def __contains__(self, nat: Nat) -> bool:
        return nat in self._owners.values()

    @property
    def all(self) -> set[Nat]:
        """Each backend that holds a mapping."""
        return set(self._owners.values())

    def owner_of(self, key: Key) -> Nat | None:
        """The backend that holds the mapping, as far as is known."""
        return self._owners.get(key)

    def granted(self, key: Key, nat: Nat) -> None:
        """The mapping is held by this backend from now on; another one that held it may hold it still."""
        before = self._owners.get(key)
        self._owners[key] = nat
        if before is not None and before is not nat:
            self.may_hold(key, before)

    def may_hold(self, key: Key, nat: Nat) -> None:
        """The mapping may be held by this backend, too."""
        self._possible_owners.setdefault(key, set()).add(nat)

    def forget(self, key: Key) -> None:
        """No backend holds the mapping any more, as far as is known."""
        self._owners.pop(key, None)

    def take(self, key: Key) -> tuple[Nat | None, set[Nat]]:
        """The backend that holds the mapping and the others that may hold it; all are forgotten."""
        nat = self._owners.pop(key, None)
        return nat, self._possible_owners.pop(key, set()) - {nat}
