"""Backends that the tests of Nat share."""

import threading

from portmap.backends.nat import Nat
from portmap.model import Grant, Protocol
from portmap.testing.scripted import ScriptedBackend

TCP = Protocol.TCP
LONG = 5.0  # seconds, that no test here waits out


class Hung(ScriptedBackend):
    """Hangs in every hook until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def _hear(self, hook: str, *arguments: object) -> None:
        self.released.wait(LONG)
        super()._hear(hook, *arguments)


class Raises(ScriptedBackend):
    """Raises the same thing in every hook."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def _hear(self, hook: str, *arguments: object) -> None:
        raise self.error


def add(nat: Nat, timeout: float = LONG) -> Grant:
    return nat.add_mapping(TCP, 0, 80, "web", 600, timeout=timeout)
