"""ChainNat: a chain of gateways, called safely.

Each hop claims its own mappings at its own gateway, so that another portmap of this host that shares one of the
gateways is left what it holds. The chain claims nothing itself.
"""

from collections.abc import Sequence

from portmap.backends.chain.backend import ChainBackend
from portmap.backends.nat import Nat
from portmap.hookspecs import Alert, Closer
from portmap.host.claims import OtherHolder
from portmap.model import Key


class ChainNat(Nat):
    """The gateways of `nats`, from this host outwards, as one. Raises SpecError for what cannot be part of a chain."""

    def __init__(self, nats: Sequence[Nat], name: str) -> None:
        self._chain = ChainBackend(nats)
        super().__init__(self._chain, name, nats[0].interface)
        self._nats = tuple(nats)
        self.listens_itself = nats[-1].listens_itself

    def watch(self, alert: Alert, on_release: Alert | None = None) -> Closer:
        """Watch every gateway. Without `on_release`, another portmap that lets go of ours at one of them is an alert.

        At the end nothing is left at the inner ones, whatever an outer one is doing.
        """
        self._chain.on_release = on_release
        unwatch = super().watch(alert, on_release)

        def close() -> None:
            self._chain.delete_rest()
            unwatch()

        return close

    def other_holder(self, key: Key, external_port: int = 0) -> OtherHolder | None:  # noqa: ARG002  # the innermost gateway may have given another one
        """Another portmap of this host that holds the mapping at the innermost gateway."""
        return self._nats[0].other_holder(key)

    def release(self, key: Key) -> None:
        """The mapping stays at every gateway, also at the end of the session."""
        self._chain.forget(key)

    def close(self) -> None:
        """The end of the session that used it."""
        super().close()
        for nat in self._nats:
            nat.close()
