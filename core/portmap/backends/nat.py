"""Nat: one backend, called safely: a deadline for each call, and checked answers.

Rules:
- A backend may hang, raise anything and answer anything; here there are only checked values and portmap's own errors.
- A backend is called from one thread, its own. Its text and the texts of its errors are read there, too.
- A call that overran its deadline is left behind, and the backend is not called again before it has come back.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias, TypeVar

from portmap.backends.answers import (
    checked_address,
    checked_error,
    checked_facts,
    checked_grant,
    checked_hint,
    checked_list,
    checked_port,
    checked_presence,
)
from portmap.backends.declarations import display_text, read_declarations
from portmap.backends.worker import Worker
from portmap.errors import GatewayTimeout, NATError, PluginError, Refused
from portmap.hookspecs import Alert, Closer
from portmap.host.claims import OtherHolder
from portmap.loading.time_limit import class_name, is_readable, text_of
from portmap.model import CALL_DEADLINE, Address, Grant, Key, Listed, Protocol
from portmap.printable import printable

T = TypeVar("T")
Wait: TypeAlias = Callable[["Future[Any]", float], None]

CLOSE_DEADLINE = 0.5  # seconds; a watch that does not end by then ends with the process
MAX_NOTE = 200  # characters of a grant's note
TELL_DEADLINE = 1.0  # seconds for the hooks that do no I/O

_log = logging.getLogger("portmap.nat")


def wait_uninterrupted(call: "Future[Any]", timeout: float) -> None:
    """Wait for a call with nothing to interrupt it."""
    wait((call,), timeout)


class Nat:
    """One backend, called safely. `waiting_with` sets how to wait for it; `interface` is the one it was made for."""

    def __init__(self, backend: Any, name: str, interface: str | None = None) -> None:
        declared = read_declarations(backend, name)
        self._hook = declared.hooks
        self._declared = declared
        self._text = declared.text
        self.kind = declared.kind
        self.opens_ports = declared.opens_ports
        self.relays = declared.relays
        self.maps_for_others = declared.maps_for_others
        self.listens_itself = declared.listens_itself
        self.ipv6 = declared.ipv6
        self.default_lifetime = declared.default_lifetime
        self.default_mappings = declared.default_mappings
        self.name = name
        self.interface = interface
        self._wait: Wait = wait_uninterrupted
        self._backend = backend
        self._worker = Worker(name)
        self._grant_notes: dict[tuple[Protocol, int], str] = {}  # of the last call: the loop makes one at a time
        self._running: Future[Any] | None = None
        self._latest: Future[Any] | None = None  # None again while an earlier call is waited for

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"<Nat {self}>"

    @contextmanager
    def waiting_with(self, wait: Wait) -> Iterator[None]:
        """Within it `wait` waits for calls, and may raise to interrupt that: the loop's inbox does, for a stop."""
        before, self._wait = self._wait, wait
        try:
            yield
        finally:
            self._wait = before

    def external_ip(self, timeout: float = CALL_DEADLINE) -> Address:
        """The gateway's external address. Raises NATError or PluginError."""
        return self._call(lambda: self._checked(checked_address, self._hook.external_ip()), timeout)

    @property
    def busy(self) -> bool:
        """Whether an earlier call has not come back yet."""
        return self._running is not None and not self._running.done()

    def start_external_ip(self) -> "Future[Address]":
        """Ask without waiting; the future holds a checked address, a NATError or a PluginError."""
        self._running = self._submit(lambda: self._checked(checked_address, self._hook.external_ip()))
        return self._running

    def add_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        name: str,
        lifetime: int,
        timeout: float = CALL_DEADLINE,
        token: str = "",
        *,
        exact: bool = False,
        client: Address | None = None,
    ) -> Grant:
        """Open or renew. Raises NATError or PluginError; Garbled for a port or lifetime that cannot be."""
        self._check_maps_for(client)
        arguments: dict[str, object] = {
            "protocol": protocol,
            "external_port": external_port,
            "internal_port": internal_port,
            "name": name,
            "lifetime": lifetime,
            "token": token,
            "exact": exact,
            "client": client,
        }
        grant = self._call(lambda: self._checked(checked_grant, self._hook.add_mapping(**arguments)), timeout)
        if grant.note:
            self._grant_notes[protocol, internal_port] = printable(grant.note[:MAX_NOTE])
        return grant

    def delete_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        timeout: float = CALL_DEADLINE,
        token: str = "",
        *,
        client: Address | None = None,
    ) -> None:
        """Shut the port. Raises NATError or PluginError."""
        self._check_maps_for(client)
        self._call(
            lambda: self._hook.delete_mapping(
                protocol=protocol, external_port=external_port, internal_port=internal_port, token=token, client=client
            ),
            timeout,
        )

    def has_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        timeout: float = CALL_DEADLINE,
        token: str = "",
        *,
        client: Address | None = None,
    ) -> bool | None:
        """Whether the gateway lists this mapping of ours; None where the backend cannot tell.

        Raises NATError or PluginError.
        """
        if client is not None and not self._declared.finds_for_others:
            return None
        asked: dict[str, object] = {
            "protocol": protocol,
            "external_port": external_port,
            "internal_port": internal_port,
            "token": token,
            "client": client,
        }
        return self._call(lambda: self._checked(checked_presence, self._hook.has_mapping(**asked)), timeout)

    def list_mappings(self, timeout: float = CALL_DEADLINE) -> tuple[Listed, ...] | None:
        """The gateway's own table; None where the backend cannot tell. Raises NATError or PluginError."""
        return self._call(lambda: self._checked(checked_list, self._hook.list_mappings()), timeout)

    def force_delete(
        self, protocol: Protocol, external_port: int, internal_port: int, timeout: float = CALL_DEADLINE
    ) -> None:
        """Delete a mapping that leads to this host, ours or not. Raises NATError or PluginError."""
        asked = {"protocol": protocol, "external_port": external_port, "internal_port": internal_port}
        done = self._call(lambda: self._hook.force_delete(**asked), timeout)
        if not done:
            raise Refused(f"{self} cannot delete what another program opened: close it there, or in its settings")

    def evidence(self) -> tuple[str, ...]:
        """What the last finding of the gateway was based on, for people; nothing where that cannot be had."""
        return self._optional_hook(lambda: self._checked(checked_facts, self._hook.evidence()), ())

    def hint(self) -> str:
        """What would help to find this gateway again in a later life; empty where there is nothing."""
        return self._optional_hook(lambda: self._checked(checked_hint, self._hook.hint()), "")

    def take_hint(self, hint: str) -> None:
        """Give the backend what `hint` said in an earlier life."""
        self._optional_hook(lambda: self._hook.take_hint(hint=hint), None)

    def other_holder(self, key: Key, external_port: int = 0) -> OtherHolder | None:  # noqa: ARG002  # a plain Nat knows of no other
        """Another portmap of this host that holds the mapping at this gateway; the key's host is an address."""
        return None

    def release(self, key: Key) -> None:
        """The mapping stays at the gateway, and is no longer ours; the key's host is an address."""

    def local_port(self, protocol: Protocol, external_port: int, internal_port: int, timeout: float) -> int:
        """The port of this host at which the backend itself listens for it. Raises NATError or PluginError."""
        asked = {"protocol": protocol, "external_port": external_port, "internal_port": internal_port}
        return self._call(lambda: self._checked(checked_port, self._hook.local_port(**asked)), timeout)

    def grant_note(self, key: Key) -> str:
        """What people should know about the last call for this mapping, told once; empty for nothing."""
        return self._grant_notes.pop(key[:2], "")

    def close(self) -> None:
        """The end of the session that used it."""

    def _check_maps_for(self, client: Address | None) -> None:
        """Raises Refused where the backend can only map to this host, and another one is meant."""
        if client is not None and not self.maps_for_others:
            raise Refused(f"{self} opens ports for this host only, not for {client}: choose another backend")

    def _checked(self, check: Callable[[object, str], T], answer: object) -> T:
        try:
            return check(answer, str(self))
        except PluginError as error:
            raise PluginError(f"{self.name}: {error}") from error

    def _optional_hook(self, work: Callable[[], T], otherwise: T) -> T:
        """What a hook says that only helps: its trouble is no reason to fail."""
        try:
            return self._call(work, TELL_DEADLINE)
        except (NATError, PluginError) as error:
            _log.debug("%s does not tell: %s", self.name, error)
            return otherwise

    def watch(self, alert: Alert, on_release: Alert | None = None) -> Closer:  # noqa: ARG002  # see SharedNat
        """Start the backend's watch, if it has one; the returned function ends it. Raises NATError or PluginError."""
        try:
            closers = self._call(lambda: self._hook.watch(alert=alert), CALL_DEADLINE)
        except BaseException:  # a stop, or an overrun: what still comes of it is closed where it runs
            if self._latest is not None:
                self._latest.add_done_callback(_close_late)
            raise
        return lambda: self._close(closers)

    def late_grant(self, timeout: float) -> Grant | None:
        """What an interrupted `add_mapping` came to; None if it fails, or takes more than `timeout` seconds."""
        if self._latest is None:
            return None
        wait((self._latest,), timeout)
        try:
            return self._checked(checked_grant, self._latest.result(0)) if self._latest.done() else None
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
            self._wait(self._running, timeout)
            if self.busy:
                raise GatewayTimeout(f"{self} has not come back from an earlier call")
        self._running = self._latest = call = self._submit(work)
        self._wait(call, max(0.0, deadline - time.monotonic()))
        if not call.done():
            raise GatewayTimeout(f"{self} did not come back within {timeout:g} s")
        return call.result()

    def _submit(self, work: Callable[[], T]) -> "Future[T]":
        return self._worker.submit(lambda: self._portmap_errors_only(work))

    def _portmap_errors_only(self, work: Callable[[], T]) -> T:
        """On the backend's thread."""
        try:
            return work()
        except (NATError, PluginError) as error:
            raise checked_error(error, self.name) from error.__cause__
        except BaseException as error:  # noqa: BLE001  # a cancellation, an exit: no reason for us to end
            cause = error if is_readable(error) else None
            raise PluginError(f"{self.name} raised {class_name(error)}: {text_of(error)}") from cause
        finally:
            self._text = display_text(self._backend, self.name)


def _close_late(watch: "Future[list[Closer]]") -> None:
    with suppress(Exception):  # a plugin may raise anything, and no caller waits any more
        for closer in watch.result():
            closer()
