"""The stand-in for a server that speaks NAT-PMP only: the backend that is installed under the name `pmp`.

Law: it is reached through the core's typed door, whoever wrote it. It speaks until something happens - a restart, a
silence - for then the server may have learnt PCP: `doubt` has PCP asked first again, once.
"""

import logging
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TypeAlias

from portmap import Nat, load
from portmap.errors import NATError, NoGateway, PluginError, SpecError
from portmap.hookspecs import Alert, Closer
from portmap_pcp.results import SpeaksNatPmp

log = logging.getLogger("portmap.pcp")

Load: TypeAlias = Callable[[IPv4Address], Nat]


def load_natpmp(gateway: IPv4Address) -> Nat:
    """The door to the NAT-PMP backend. Raises SpecError where none is installed, PluginError for a broken one."""
    return load(f"pmp:{gateway}")


class NatPmpFallback:
    """At most one door at a time. `load` None: nobody stands in, the server is simply none for us."""

    def __init__(self, load: Load | None = load_natpmp) -> None:
        self._load = load
        self._door: Nat | None = None
        self._gateway: IPv4Address | None = None
        self._doubted = False
        self._alert: Alert | None = None
        self._close: Closer | None = None

    @property
    def backend(self) -> Nat | None:
        """Whom to ask at once; None: ask by PCP, and `engage` if that is not understood."""
        return None if self._doubted else self._door

    def recheck(self) -> None:
        """The server may be another one by now; from any thread."""
        self._doubted = True

    def use(self, why: SpeaksNatPmp) -> Nat:
        """The door to the server that knows no PCP. Raises `why` where there is none."""
        gateway = why.server
        if self._load is None or not isinstance(gateway, IPv4Address):
            raise why
        self._doubted = False
        if self._door is None or gateway != self._gateway:
            self.drop()
            try:
                self._door, self._gateway = self._load(gateway), gateway
            except (SpecError, PluginError) as error:
                raise NoGateway(f"{why}, which cannot be had: {error}") from error
            log.info("%s speaks NAT-PMP only, so that is what it is asked by", gateway)
            self._begin()
        return self._door

    def drop(self) -> None:
        """The server speaks PCP after all, or is another one."""
        self._end()
        self._door = self._gateway = None
        self._doubted = False

    def watch(self, alert: Alert) -> Closer:
        """Watch through whoever stands in, now and later; the answer ends it."""
        self._end()
        self._alert = alert
        self._begin()

        def close() -> None:
            if self._alert is alert:  # else a later watch has taken over
                self._alert = None
                self._end()

        return close

    def _begin(self) -> None:
        if self._door is None or self._alert is None:
            return
        try:
            self._close = self._door.watch(self._alert)
        except (NATError, PluginError) as error:
            log.warning("%s cannot watch its gateway: %s", self._door.name, error)

    def _end(self) -> None:
        if self._close is not None:
            self._close()
        self._close = None
