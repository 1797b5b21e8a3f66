"""NatPmpFallback: the backend `pmp`, for a server that speaks NAT-PMP only.

It is reached through the core's `Nat`. It is used until something happens, such as a restart or silence: the server may
have learnt PCP by then, so `recheck` has PCP asked first again, once.
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


def load_natpmp(gateway: IPv4Address, interface: str | None = None) -> Nat:
    """The NAT-PMP backend. Raises SpecError where none is installed, PluginError for a broken one."""
    return load(f"pmp:{gateway}" if interface is None else f"pmp:{gateway} on {interface}")


class NatPmpFallback:
    """At most one backend at a time. `load` None: there is no fallback, and such a server counts as none."""

    def __init__(self, load: Load | None = load_natpmp) -> None:
        self._load = load
        self._nat: Nat | None = None
        self._gateway: IPv4Address | None = None
        self._recheck = False
        self._alert: Alert | None = None
        self._close: Closer | None = None

    @property
    def backend(self) -> Nat | None:
        """The backend to ask at once; None: ask by PCP, and call `use` if that is not understood."""
        return None if self._recheck else self._nat

    def recheck(self) -> None:
        """The server may be another one by now; from any thread."""
        self._recheck = True

    def use(self, why: SpeaksNatPmp) -> Nat:
        """The backend for the server that knows no PCP. Raises `why` where there is none."""
        gateway = why.server
        if self._load is None or not isinstance(gateway, IPv4Address):
            raise why
        self._recheck = False
        if self._nat is None or gateway != self._gateway:
            self.drop()
            try:
                self._nat, self._gateway = self._load(gateway), gateway
            except (SpecError, PluginError) as error:
                raise NoGateway(f"{why}, which cannot be had: {error}") from error
            log.info("%s speaks NAT-PMP only, so NAT-PMP is used", gateway)
            self._start_watch()
        return self._nat

    def drop(self) -> None:
        """The server speaks PCP after all, or is another one."""
        self._end_watch()
        self._nat = self._gateway = None
        self._recheck = False

    def watch(self, alert: Alert) -> Closer:
        """Watch by the fallback, now and later; returns the function that ends it."""
        self._end_watch()
        self._alert = alert
        self._start_watch()

        def close() -> None:
            if self._alert is alert:  # else a later watch has taken over
                self._alert = None
                self._end_watch()

        return close

    def _start_watch(self) -> None:
        if self._nat is None or self._alert is None:
            return
        try:
            self._close = self._nat.watch(self._alert)
        except (NATError, PluginError) as error:
            log.warning("%s cannot watch its gateway: %s", self._nat.name, error)

    def _end_watch(self) -> None:
        if self._close is not None:
            self._close()
        self._close = None
