"""`portmap config check`, and the reading of configuration files and of the environment for the other commands."""

from pathlib import Path

from portmap.cli.exits import USAGE
from portmap.cli.text import harmless
from portmap.config import File
from portmap.configfile import MAX_SIZE, ConfigError, read_config
from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.model import DEFAULT_LIFETIME
from portmap.plugins import Catalogue
from portmap.spec import parse_backend, parse_list, parse_spec


def load_config(path: Path) -> File:
    """What a file says. Raises SpecError, a ConfigError for what stands in it."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_SIZE + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SpecError(f"{path} cannot be read: {reason}") from error
    return read_config(text, str(path), _judge)


def print_check(path: Path) -> int:
    """Print that a file is fine, or each of its faults; the exit code."""
    try:
        file = load_config(path)
    except ConfigError as error:
        for fault in error.faults:
            print(harmless(f"{error.name}:{fault.line}: {fault.text}"))
        return USAGE
    mappings = sum(len(instance.requests(DEFAULT_LIFETIME)) for instance in file.instances)
    print(f"{path}: ok, {_count(len(file.instances), 'instance')}, {_count(mappings, 'mapping')}")
    return 0


def _judge(key: str, spec: str) -> None:
    """Whether the plugin is installed; its import is left to the session. Raises SpecError."""
    if key == "publish":
        Catalogue(PUBLISHERS).find(parse_spec(spec))
        return
    Catalogue(BACKENDS).find(parse_backend(spec))
    for member in parse_list(spec):
        Catalogue(BACKENDS).find(member)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
