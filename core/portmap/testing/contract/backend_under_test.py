"""BackendUnderTest: a backend called through Nat, so that what the core calls a fault of the plugin fails the test.

A foreign exception, a nonsensical answer and a call that does not come back fail at once, in the core's own words.
Errors of the gateway pass: the test expects them or not.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest

from portmap.backends.nat import Nat
from portmap.errors import NATError, PluginError
from portmap.hookspecs import BACKENDS
from portmap.loading.catalog import validate_hooks
from portmap.model import Address, Grant, Protocol
from portmap.testing.contract.checks import in_time, require

T = TypeVar("T")

INTERNAL = 24680  # where the contracts' mappings lead to; no service needs to listen there
# The external port that they suggest: another one in each process, as a backend may need it as a port of this host.
SUGGESTED = 25000 + os.getpid() % 5000
LIFETIME = 600  # seconds


class BackendUnderTest:
    """Every call is made in a thread of Nat's, and has `deadline` seconds."""

    def __init__(self, backend: Any, deadline: float) -> None:
        self.backend = backend
        self.deadline = deadline
        self._nat = Nat(backend, type(backend).__name__)

    def __str__(self) -> str:
        return str(self.backend)

    def external_ip(self) -> Address:
        """The external address. Raises NATError."""
        __tracebackhide__ = True
        return self._kept(partial(self._nat.external_ip, self.deadline))

    def add(
        self,
        protocol: Protocol = Protocol.TCP,
        external_port: int = SUGGESTED,
        internal_port: int = INTERNAL,
        name: str = "contract",
        lifetime: int = LIFETIME,
        token: str = "",
        client: Address | None = None,
    ) -> Grant:
        """Open or renew. Raises NATError."""
        __tracebackhide__ = True
        asked = protocol, external_port, internal_port, name, lifetime, self.deadline, token
        return self._kept(partial(self._nat.add_mapping, *asked, client=client))

    def delete(
        self,
        protocol: Protocol = Protocol.TCP,
        external_port: int = SUGGESTED,
        internal_port: int = INTERNAL,
        token: str = "",
        client: Address | None = None,
    ) -> None:
        """Shut. Raises NATError."""
        __tracebackhide__ = True
        asked = protocol, external_port, internal_port, self.deadline, token
        self._kept(partial(self._nat.delete_mapping, *asked, client=client))

    def watch(self) -> list[Callable[[], None]]:
        """Begin to watch; what ends it. Empty where the backend has no such hook."""
        hook = validate_hooks(self.backend, BACKENDS, self._nat.name).hook
        closers = in_time(partial(hook.watch, alert=str), self.deadline, f"the hook watch of {self._nat.name}")
        require(all(map(callable, closers)), f"watch answered {closers!r} where a function was due")
        return list(closers)

    def _kept(self, call: Callable[[], T]) -> T:
        __tracebackhide__ = True
        try:
            return call()
        except PluginError as error:
            fault = f"{error}; a backend raises only errors of portmap.errors and answers as portmap.hookspecs says"
        except NATError as error:
            if not self._nat.busy:
                raise
            fault = f"{error}: set time limits of your own, below that of the core"
        return pytest.fail(fault, pytrace=False)
