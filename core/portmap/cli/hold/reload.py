"""Changes what runs into what is wanted now, as SIGHUP asks. Imported when the first SIGHUP comes."""

from collections.abc import Sequence
from contextlib import suppress

from portmap.cli.hold.sessions import SessionSet
from portmap.config.diff import Adjust, Change, End, Restart, Start, diff
from portmap.config.settings import Instance
from portmap.errors import PortmapError


def change_sessions(sessions: SessionSet, wanted: Sequence[Instance]) -> list[tuple[Instance, PortmapError]]:
    """Change no more than has to be. Returns what could not be started, with the reason.

    An instance that ran before, and cannot be started with its new settings, runs on with the old ones, if it can.
    """
    changes = diff([running.instance for running in sessions.running], wanted)
    sessions.end(change.instance.name for change in changes if isinstance(change, End | Restart))
    failed = []
    for change in changes:
        try:
            _apply(sessions, change)
        except PortmapError as error:
            failed.append((change.instance, error))
            if isinstance(change, Restart):
                with suppress(PortmapError):  # most likely the same one
                    sessions.start(change.before)
    return failed


def _apply(sessions: SessionSet, change: Change) -> None:
    match change:
        case Start() | Restart():
            sessions.start(change.instance)
        case Adjust():
            sessions.adjust(change.instance, change.remove, change.add)
