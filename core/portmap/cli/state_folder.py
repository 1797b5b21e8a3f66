"""Which state folder a command uses."""

import os
from pathlib import Path

from portmap.cli.exit_codes import print_error
from portmap.config.settings import check_path
from portmap.errors import SpecError


def path_of(text: str, what: str) -> Path:
    """The path. Raises SpecError where nothing can be called so."""
    return Path(check_path(text, what))


def default_state_folder() -> Path:
    """The folder that is ours where nobody chose one. Raises SpecError for a user who has no home."""
    from portmap.storage.journal_store import default_folder  # noqa: PLC0415  # as above

    try:
        return default_folder()
    except RuntimeError as error:
        raise SpecError("there is no home directory: choose a folder with --state, or set HOME") from error


def state_folder(text: str | None) -> Path | None:
    """Where to remember ports; None for "none", and where the folder that nobody chose cannot be used."""
    from portmap.storage.journal_store import make_folder  # noqa: PLC0415  # as above

    if text is not None:
        return None if text == "none" else path_of(text, "--state")
    try:
        folder = default_state_folder()
        make_folder(folder)
    except SpecError as error:
        print_error(f"ports are not remembered: {error}")
        return None
    return folder


def check_readable(folder: Path) -> None:
    """Raise SpecError where the folder cannot be read. One that is not there is no mistake: nobody has run yet."""
    try:
        os.listdir(folder)  # noqa: PTH208  # unlike iterdir, it looks at once
    except FileNotFoundError:
        return
    except OSError as error:
        raise SpecError(
            f"the state folder {folder} cannot be read: {error.strerror}; name another with --state"
        ) from error
