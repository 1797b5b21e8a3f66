"""Which state folder a command uses."""

import os
from collections.abc import Callable
from pathlib import Path

from portmap.cli.exit_codes import print_error
from portmap.config.options import check_path
from portmap.errors import SpecError

SERVICE_FOLDER = Path("/var/lib/portmap")  # StateDirectory= of the unit that `portmap service print` writes


def path_of(text: str, what: str) -> Path:
    """The path. Raises SpecError for a text that can be no path."""
    return Path(check_path(text, what))


def default_state_folder() -> Path:
    """The folder that is used where none was named. Raises SpecError for a user without a home."""
    from portmap.storage.journal_store import default_folder  # noqa: PLC0415  # not where one was named

    try:
        return default_folder()
    except RuntimeError as error:
        raise SpecError("there is no home directory: choose a folder with --state, or set HOME") from error


def state_folder(text: str | None) -> Path | None:
    """Where to remember ports; None for "none", and where the default folder cannot be used."""
    if text is not None:
        return None if text == "none" else path_of(text, "--state")
    from portmap.storage.journal_store import make_folder  # noqa: PLC0415  # as above

    return _default_folder(make_folder, "ports are not remembered")


def folder_to_read(text: str | None) -> Path | None:
    """Where ports were remembered, there or not; None for "none", and where the default folder cannot be read."""
    if text is not None:
        return None if text == "none" else path_of(text, "--state")
    return _default_folder(check_readable, "what portmap holds for this user is not known")


def _default_folder(check: Callable[[Path], object], otherwise: str) -> Path | None:
    """The default folder; None where `check` raises SpecError for it, which is told after `otherwise`."""
    try:
        folder = default_state_folder()
        check(folder)
    except SpecError as error:
        print_error(f"{otherwise}: {error}")
        return None
    return folder


def status_folders(text: str | None) -> tuple[Path, ...]:
    """Where sessions of this host keep their status: our folder, then that of the system's service.

    A folder that was named stands alone. Raises SpecError for "none".
    """
    folder = folder_to_read(text)
    if text is not None:
        if folder is None:
            raise SpecError("without a state folder there is no status to read: name one with --state")
        return (folder,)
    return (SERVICE_FOLDER,) if folder in (None, SERVICE_FOLDER) else (folder, SERVICE_FOLDER)


def check_readable(folder: Path) -> None:
    """Raise SpecError where the folder cannot be read. A missing one is no mistake: nothing has run yet."""
    try:
        os.listdir(folder)  # noqa: PTH208  # unlike iterdir, it looks at once
    except FileNotFoundError:
        return
    except OSError as error:
        raise SpecError(
            f"the state folder {folder} cannot be read: {error.strerror}; name another with --state"
        ) from error
