"""Publishers: each at a desk of its own, a thread, so that a slow or broken one harms only itself.

Law: telling never blocks; whatever a publisher raises is logged with its name and goes no further.
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from portmap.errors import PortmapError
from portmap.events import Event
from portmap.hookspecs import PUBLISHERS
from portmap.nat import make
from portmap.node import Record
from portmap.plugins import Catalogue, validate_hooks
from portmap.spec import parse_spec

_log = logging.getLogger("portmap.publishing")


class Desk:
    """One publisher at work."""

    def __init__(self, publisher: Any, name: str) -> None:
        self.name = name
        self._hook = validate_hooks(publisher, PUBLISHERS, name).hook
        self.signs = bool(self._hook.sign_record.get_hookimpls())
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=f"portmap {name}", daemon=True)
        self._thread.start()

    def tell(self, event: Event) -> None:
        """Pass an event on, after all that was told before."""
        self._work.put(lambda: self._hook.on_event(event=event))

    def sign(self, record: Record, then: Callable[[str], None]) -> None:
        """Have the record signed; `then` is called with the text, empty if that failed."""
        self._work.put(lambda: then(self._signed(record)))

    def close(self) -> None:
        """No more work will come."""
        self._work.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the work that is left, `timeout` seconds at the most."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            _log.warning("%s is still busy and is left behind", self.name)

    def _signed(self, record: Record) -> str:
        try:
            text = self._hook.sign_record(record=record)
        except BaseException:  # noqa: BLE001  # a stranger may raise anything
            _log.exception("%s could not sign the record", self.name)
            return ""
        return text if isinstance(text, str) else ""

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except PortmapError as error:
                _log.warning("%s: %s", self.name, error)
            except BaseException:  # noqa: BLE001  # a stranger may raise anything
                _log.exception("%s failed", self.name)


def open_desk(spec_text: str, catalogue: Catalogue | None = None) -> Desk:
    """The publisher that a spec names, at its desk. Raises SpecError or PluginError."""
    spec = parse_spec(spec_text)
    plugin = (catalogue or Catalogue(PUBLISHERS)).find(spec)
    return Desk(make(plugin.load(), spec, str(plugin)), str(plugin))
