"""`portmap config check`, and the reading of configuration files and of the environment for the other commands."""

from dataclasses import asdict
from pathlib import Path

from portmap.cli.config_file import check_targets, load_config
from portmap.cli.exit_codes import OK, USAGE, print_error
from portmap.cli.output.json_and_tables import print_json
from portmap.config.file import ConfigError
from portmap.model import DEFAULT_LIFETIME
from portmap.printable import printable


def print_check(path: Path, *, as_json: bool) -> int:
    """Print that a file is fine, or each of its faults; the exit code. Raises SpecError for one that is no file.

    Also for two instances that publish to one file.
    """
    try:
        file = load_config(path)
    except ConfigError as error:
        _print_faults(error, as_json=as_json)
        return USAGE
    check_targets(file.instances)
    instances = len(file.instances)
    mappings = sum(len(instance.requests(DEFAULT_LIFETIME)) for instance in file.instances)
    if as_json:
        print_json(file=str(path), ok=True, instances=instances, mappings=mappings)
    else:
        print(printable(f"{path}: ok, {_count(instances, 'instance')}, {_count(mappings, 'mapping')}"))
    return OK


def _print_faults(error: ConfigError, *, as_json: bool) -> None:
    if as_json:
        print_json(file=error.name, ok=False, faults=[asdict(fault) for fault in error.faults])
        return
    for fault in error.faults:
        print(printable(f"{error.name}:{fault.line}: {fault.text}"))
    print_error(f"{error.name} cannot be used: {_count(len(error.faults), 'fault')}")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
