"""Reads the configuration file for a command."""

from pathlib import Path

from portmap.config.file import MAX_SIZE, parse_config
from portmap.config.settings import ConfigFile
from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import Catalogue
from portmap.syntax.specs import parse_backend_spec, parse_spec, parse_spec_list


def load_config(path: Path) -> ConfigFile:
    """What a file says. Raises SpecError, a ConfigError for what stands in it."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_SIZE + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SpecError(f"{path} cannot be read: {reason}") from error
    return parse_config(text, str(path), _check_spec)


def _check_spec(key: str, spec: str) -> None:
    """Whether the plugin is installed; its import is left to the session. Raises SpecError."""
    if key == "publish":
        Catalogue(PUBLISHERS).find(parse_spec(spec))
        return
    Catalogue(BACKENDS).find(parse_backend_spec(spec))
    for member in parse_spec_list(spec):
        Catalogue(BACKENDS).find(member)
