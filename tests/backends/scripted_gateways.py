"""Scripted gateways that the tests of `any` share."""

import threading
import time

from portmap.backends.any.backend import AnyBackend
from portmap.model import Grant, PortRequest, Protocol
from portmap.testing.scripted import ScriptedBackend

TCP = Protocol.TCP
WEB = PortRequest(TCP, 80)
NAME = "a"  # which backend made the mapping
A, B = "1.1.1.1", "2.2.2.2"


class Gateway(ScriptedBackend):
    """A scripted gateway with a name and an address, slower or faster, that fails on command.

    `after`: it does not answer before this one has, on a busy machine neither.
    """

    def __init__(self, address: str, delay: float = 0.0, after: "Gateway | None" = None) -> None:
        super().__init__()
        self.moves(0, address)
        self.address, self.delay, self.after = address, delay, after
        self.answered = threading.Event()
        self.errors: dict[str, Exception] = {}

    def __str__(self) -> str:
        return f"gateway {self.address}"

    def now(self, error: Exception | None, *hooks: str) -> None:
        """From now on these hooks, or all, raise this; None: they work."""
        for hook in hooks or ("external_ip", "add_mapping", "delete_mapping"):
            self.errors.pop(hook, None)
            if error is not None:
                self.errors[hook] = error

    def asked(self, hook: str) -> int:
        """How often a hook was called."""
        return [call.hook for call in self.calls].count(hook)

    def _hear(self, hook: str, *arguments: object) -> None:
        super()._hear(hook, *arguments)
        if self.after is not None:
            self.after.answered.wait(1)
        time.sleep(self.delay)
        self.answered.set()
        if hook in self.errors:
            raise self.errors[hook]


def add(backend: AnyBackend, token: str = "") -> Grant:
    return backend.add_mapping(TCP, 0, 80, "web", 600, token, exact=False, client=None)


def holders(*gateways: Gateway) -> list[str]:
    """Who has the mapping in its table."""
    return [gateway.address for gateway in gateways if WEB.key in gateway.table]
