"""The typed door to one chosen backend: pluggy call, deadline, checked result.

Law: behind this door anything may happen - a backend may hang, raise what it likes, answer nonsense; in front of it
there are only checked values and portmap's own errors. A backend is called from one thread, its own; a call that
overran its deadline is left behind, and nothing more is asked of that backend until it has come back.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from ipaddress import IPv4Address, IPv6Address
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

from portmap.errors import Garbled, GatewayTimeout, NATError, PluginError, SpecError
from portmap.hookspecs import BACKENDS, Alert, Closer
from portmap.limit import settle, within_limit
from portmap.model import MAX_LIFETIME, MAX_PORT, Address, Grant, Kind, Protocol
from portmap.plugins import Catalogue, validate_hooks
from portmap.spec import Spec, parse_spec

T = TypeVar("T")
Wait: TypeAlias = Callable[["Future[Any]", float], None]
_Job: TypeAlias = tuple["Future[Any]", Callable[[], Any]] | None

CALL_DEADLINE = 15.0  # seconds; above every backend's own time limits, so that theirs, which say more, come first
CLOSE_DEADLINE = 0.5  # seconds; a watch that does not end by then ends with the process

_log = logging.getLogger("portmap.nat")


def patiently(call: "Future[Any]", timeout: float) -> None:
    """Wait for a call with nothing to interrupt it."""
    wait((call,), timeout)


class Nat:
    """One backend, called safely. `wait` is how to wait for it: the loop puts its inbox here."""

    def __init__(self, backend: Any, name: str, wait: Wait = patiently) -> None:
        self._hook = validate_hooks(backend, BACKENDS, name).hook
        self.kind: Kind = backend.kind
        self.name = name
        self.wait = wait
        self._backend = backend
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._thread: threading.Thread | None = None
        weakref.finalize(self, self._jobs.put, None)  # the thread ends with the door
        self._running: Future[Any] | None = None
        self._latest: Future[Any] | None = None  # None again while an earlier call is waited for

    def __str__(self) -> str:
        try:
            return str(self._backend)
        except Exception:  # noqa: BLE001  # a stranger's __str__ may raise anything; a name is all we wanted
            return self.name

    def external_ip(self, timeout: float = CALL_DEADLINE) -> Address:
        """The gateway's external address. Raises NATError or PluginError."""
        return self._checked_address(self._call(self._hook.external_ip, timeout))

    @property
    def busy(self) -> bool:
        """Whether an earlier call has not come back yet."""
        return self._running is not None and not self._running.done()

    def ask_external_ip(self) -> "Future[Address]":
        """Ask without waiting; the future holds a checked address, a NATError or a PluginError."""
        self._running = self._submit(lambda: self._checked_address(self._hook.external_ip()))
        return self._running

    def add_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        name: str,
        lifetime: int,
        timeout: float = CALL_DEADLINE,
    ) -> Grant:
        """Open or renew. Raises NATError or PluginError; Garbled for a port or lifetime that cannot be."""
        answer = self._call(
            lambda: self._hook.add_mapping(
                protocol=protocol,
                external_port=external_port,
                internal_port=internal_port,
                name=name,
                lifetime=lifetime,
            ),
            timeout,
        )
        return self._checked_grant(answer)

    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, timeout: float = CALL_DEADLINE
    ) -> None:
        """Shut the port. Raises NATError or PluginError."""
        self._call(
            lambda: self._hook.delete_mapping(
                protocol=protocol, external_port=external_port, internal_port=internal_port
            ),
            timeout,
        )

    def watch(self, alert: Alert) -> Closer:
        """Start the backend's watch, if it has one; the answer ends it. Raises NATError or PluginError."""
        closers = self._call(lambda: self._hook.watch(alert=alert), CALL_DEADLINE)
        return lambda: self._close(closers)

    def interrupted_grant(self, timeout: float) -> Grant | None:
        """What an interrupted `add_mapping` came to, if it ends within `timeout` seconds; None if not or badly."""
        if self._latest is None:
            return None
        wait((self._latest,), timeout)
        try:
            return self._checked_grant(self._latest.result(0)) if self._latest.done() else None
        except (NATError, PluginError):
            return None

    def _close(self, closers: list[Closer]) -> None:
        for closer in closers:
            try:
                self._call(closer, CLOSE_DEADLINE)
            except (NATError, PluginError) as error:
                _log.warning("%s does not end its watch: %s", self.name, error)

    def _call(self, work: Callable[[], T], timeout: float) -> T:
        deadline = time.monotonic() + timeout
        self._latest = None
        if self._running is not None and not self._running.done():
            self.wait(self._running, timeout)
            if self.busy:
                raise GatewayTimeout(f"{self} has not come back from an earlier call")
        self._running = self._latest = call = self._submit(work)
        self.wait(call, max(0.0, deadline - time.monotonic()))
        if not call.done():
            raise GatewayTimeout(f"{self} did not come back within {timeout:g} s")
        return call.result()

    def _submit(self, work: Callable[[], T]) -> "Future[T]":
        if self._thread is None:
            self._thread = threading.Thread(target=_work, args=(self._jobs,), name=self.name, daemon=True)
            self._thread.start()
        call: Future[T] = Future()
        self._jobs.put((call, lambda: self._translated(work)))
        return call

    def _translated(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (NATError, PluginError):
            raise
        except BaseException as error:  # a cancellation, an exit: whatever it is, it is no reason for us to end
            raise PluginError(f"{self.name} raised {type(error).__name__}: {error}") from error

    def _checked_address(self, answer: object) -> Address:
        if not isinstance(answer, IPv4Address | IPv6Address):
            raise PluginError(f"{self.name} answered {answer!r} where an address was due")
        if answer.is_unspecified:
            raise Garbled(f"{self} says that its external address is {answer}: it has none yet")
        return answer

    def _checked_grant(self, answer: object) -> Grant:
        if not isinstance(answer, Grant) or not _is_well_typed(answer):
            raise PluginError(f"{self.name} answered {answer!r} where a Grant was due")
        if not 1 <= answer.external_port <= MAX_PORT:
            raise Garbled(f"{self} granted port {answer.external_port}, which is none")
        if not 0 <= answer.lifetime <= MAX_LIFETIME:
            raise Garbled(f"{self} granted a lifetime of {answer.lifetime} s, which is none")
        return answer


def _is_well_typed(grant: Any) -> bool:
    """Whether a stranger's Grant holds what its annotations say; nothing checked that when it was made."""
    numbers = isinstance(grant.external_port, int) and isinstance(grant.lifetime, int)
    return numbers and isinstance(grant.external_ip, IPv4Address | IPv6Address | None)


def load(spec: str | Spec, catalogue: Catalogue | None = None) -> Nat:
    """The backend that a spec names, ready for one-shot calls; nothing is sent yet.

    Raises SpecError for a spec that makes no sense, PluginError for a backend that is broken.
    """
    parsed = parse_spec(spec) if isinstance(spec, str) else spec
    plugin = (catalogue or Catalogue(BACKENDS)).find(parsed)
    return Nat(make(plugin.load(), parsed, str(plugin)), str(plugin))


def make(plugin_class: Any, spec: Spec, name: str) -> Any:
    """Construct a plugin from its argument. Raises SpecError, or PluginError for whatever else it raises."""
    try:
        return within_limit(lambda: plugin_class.from_argument(spec.argument), f"from_argument of {name}")
    except (PluginError, SpecError):
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{name} raised {type(error).__name__} for the spec {spec}: {error}") from error


def _work(jobs: "SimpleQueue[_Job]") -> None:
    """The backend's thread: a daemon, so that a hung backend never holds up the process's exit."""
    while (job := jobs.get()) is not None:
        settle(*job)
        del job  # a waiting thread shall keep nothing alive
