"""The running sessions of several instances, by name.

Used by one thread. What the sessions tell goes to `post`, from their threads.
"""

import threading
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import portmap
from portmap.config.settings import Instance
from portmap.events import Event
from portmap.model import Key, PortRequest
from portmap.session.session import Session

END = 3.0  # seconds, for all of them together


@dataclass(slots=True)
class RunningSession:
    """An instance and its session."""

    instance: Instance
    session: Session

    @property
    def name(self) -> str:
        """The instance's."""
        return self.instance.name

    def requests(self) -> tuple[PortRequest, ...]:
        """What is asked for."""
        return self.instance.requests(self.session.lifetime)


def session_opener(state: Path | None) -> "OpenSession":
    """Opens sessions as the instances say; `state` is the folder for those that name none."""

    def opening(instance: Instance) -> RunningSession:
        named = None if instance.state == "none" else Path(instance.state or "")
        folder = state if instance.state is None else named
        mappings = (mapping for wanted in instance.mappings for mapping in wanted.to_open())
        settings = instance.settings | {"state": folder}
        return RunningSession(instance, portmap.open(mappings=mappings, instance=instance.name, **settings))

    return opening


PostEvent: TypeAlias = Callable[[RunningSession, Event | None], None]
OpenSession: TypeAlias = Callable[[Instance], RunningSession]


class SessionSet:
    """Opens, changes and closes. `post` is given each event, and None at a session's end; it must not block."""

    def __init__(self, opening: OpenSession, post: PostEvent) -> None:
        self._opening = opening
        self._post = post
        self._running: dict[str, RunningSession] = {}

    @property
    def running(self) -> tuple[RunningSession, ...]:
        """Those that were started and not ended."""
        return tuple(self._running.values())

    def start(self, instance: Instance) -> RunningSession:
        """Open a session. Raises PortmapError."""
        running = self._opening(instance)
        self._running[instance.name] = running
        running.session.subscribe(partial(self._post, running))
        return running

    def has(self, running: RunningSession) -> bool:
        """Whether it is one of those, and not an earlier one of that name."""
        return self._running.get(running.name) is running

    def forget(self, running: RunningSession) -> bool:
        """It has ended by itself, or after `stop`; whether it was one of those."""
        if not self.has(running):
            return False
        del self._running[running.name]
        return True

    def lives(self) -> bool:
        """Whether every session is at work."""
        return all(running.session.is_alive() for running in self.running)

    def adjust(self, instance: Instance, remove: Iterable[Key], add: Container[Key]) -> None:
        """Change the ports of the session of that name. Raises PortmapError."""
        running = self._running[instance.name]
        running.instance = instance
        for key in remove:
            running.session.remove(key)
        for request in running.requests():
            if request.key in add:
                running.session.add(request)

    def stop(self) -> None:
        """Ask all for their end; returns at once."""
        for running in self.running:
            running.session.stop()

    def end(self, names: Iterable[str]) -> None:
        """End these, all at the same time, and forget them."""
        ending = [self._running.pop(name) for name in names if name in self._running]
        for running in ending:
            running.session.stop()
        threads = [threading.Thread(target=running.session.close, daemon=True) for running in ending]
        deadline = time.monotonic() + END
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
