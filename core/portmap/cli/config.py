"""`portmap config check`, and the reading of configuration files and of the environment for the other commands."""

from dataclasses import asdict
from pathlib import Path

from portmap.cli.exits import OK, USAGE, complain
from portmap.cli.output import print_json
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


def print_check(path: Path, *, as_json: bool) -> int:
    """Print that a file is fine, or each of its faults; the exit code. Raises SpecError for one that is no file."""
    try:
        file = load_config(path)
    except ConfigError as error:
        _print_faults(error, as_json=as_json)
        return USAGE
    instances = len(file.instances)
    mappings = sum(len(instance.requests(DEFAULT_LIFETIME)) for instance in file.instances)
    if as_json:
        print_json(file=str(path), ok=True, instances=instances, mappings=mappings)
    else:
        print(harmless(f"{path}: ok, {_count(instances, 'instance')}, {_count(mappings, 'mapping')}"))
    return OK


def _print_faults(error: ConfigError, *, as_json: bool) -> None:
    if as_json:
        print_json(file=error.name, ok=False, faults=[asdict(fault) for fault in error.faults])
        return
    for fault in error.faults:
        print(harmless(f"{error.name}:{fault.line}: {fault.text}"))
    complain(f"{error.name} cannot be used: {_count(len(error.faults), 'fault')}")


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
