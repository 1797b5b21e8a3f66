"""Which state folder a command uses."""

from pathlib import Path

from portmap.cli.exit_codes import complain
from portmap.config.settings import path_text
from portmap.errors import SpecError


def path_of(text: str, what: str) -> Path:
    """The path. Raises SpecError where nothing can be called so."""
    return Path(path_text(text, what))


def our_folder() -> Path:
    """The folder that is ours where nobody chose one. Raises SpecError for a user who has no home."""
    from portmap.storage.journal_store import default_folder  # noqa: PLC0415  # as above

    try:
        return default_folder()
    except RuntimeError as error:
        raise SpecError("there is no home directory: choose a folder with --state, or set HOME") from error


def folder_of(text: str | None) -> Path | None:
    """Where to remember ports; None for "none", and where the folder that nobody chose cannot be used."""
    from portmap.storage.journal_store import make_folder  # noqa: PLC0415  # as above

    if text is not None:
        return None if text == "none" else path_of(text, "--state")
    try:
        folder = our_folder()
        make_folder(folder)
    except SpecError as error:
        complain(f"ports are not remembered: {error}")
        return None
    return folder
