"""The publisher `exec:CMD…`: a command for each port that changed, one at a time, until it exits with 0.

It remembers for each port what the command was last called with, and calls it for the difference to the wanted state.
A failure for one port does not keep the command from being called for the others.
"""

import json
import logging

from portmap.endpoints import Endpoints, OpenPort, PortKey
from portmap.errors import PortmapError
from portmap.hookspecs import hookimpl
from portmap_publish import process
from portmap_publish.command import Command, environment
from portmap_publish.port_changes import LOST, PortChange, changes

logger = logging.getLogger("portmap.exec")


class ExecPublisher:
    """Runs one command. `timeout`: seconds for one run."""

    def __init__(self, command: Command, timeout: float = process.TIMEOUT) -> None:
        self._command = command
        self._timeout = timeout
        self._told: dict[PortKey, OpenPort] = {}

    @classmethod
    def from_argument(cls, argument: str | None) -> "ExecPublisher":
        """`CMD ARGUMENTS…`, or `sh:` and a shell's program. Raises SpecError."""
        return cls(Command.parse(argument))

    def __str__(self) -> str:
        return f"command {self._command}"

    @hookimpl
    def converge(self, state: Endpoints, again: bool) -> None:
        """Call the command for each change. Raises the first PortmapError once all were tried."""
        first: PortmapError | None = None
        for change in list(changes(self._told, state, again=again)):
            try:
                self._tell(change)
            except PortmapError as error:
                first = first or error
        if first is not None:
            raise first

    def _tell(self, change: PortChange) -> None:
        words = change.words()
        told = json.dumps(change.to_dict()).encode() + b"\n"
        logger.debug("%s: %s", self, change)
        process.run(self._command.argv(words), environment(words), told, self._timeout)
        if change.event == LOST:
            del self._told[change.port.key]
        else:
            self._told[change.port.key] = change.port
