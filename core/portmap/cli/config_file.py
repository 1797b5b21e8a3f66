"""Reads the configuration file for a command."""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from portmap.cli.exit_codes import print_error
from portmap.config.file import MAX_SIZE, parse_config
from portmap.config.options import OPTIONS, SECRET_OPTIONS, OptionRow
from portmap.config.settings import ConfigFile, Instance, SettingsLayer, texts_of
from portmap.errors import PluginError, SpecError
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import Catalogue
from portmap.loading.time_limit import call_with_limit
from portmap.syntax.plugin_specs import hop_texts, parse_backend_spec, parse_spec, parse_spec_list

_PASSWORD = re.compile(r"//[^/@]*:[^@]*@")


def load_config(path: Path) -> ConfigFile:
    """What a file says. Raises SpecError, a ConfigError for what stands in it."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(MAX_SIZE + 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SpecError(f"{path} cannot be read: {reason}") from error
    parsed = parse_config(text, str(path), check_spec)
    if can_be_read_by_all(path) and any(map(option_with_password, parsed.instances)):
        print_error(f"{path} has a password, and every user of this host can read it: chmod 600 {path}")
    return parsed


def check_targets(instances: Sequence[Instance]) -> None:
    """Raise SpecError where two instances tell a target that holds what one instance tells, as a file does."""
    told: dict[str, str] = {}
    for instance in instances:
        for spec in instance.publish:
            first = told.setdefault(spec, instance.name)
            if first != instance.name and _is_for_one_instance(spec):
                raise SpecError(
                    f"instances {first} and {instance.name} publish to the same {parse_spec(spec).name}, "
                    "and each would replace what the other one wrote: give each one of its own, or have one publish"
                )


def _is_for_one_instance(text: str) -> bool:
    spec = parse_spec(text)
    try:
        publisher = Catalogue(PUBLISHERS).find(spec).load()
        return call_with_limit(lambda: _says_one_instance(publisher, spec.argument), f"publisher {spec.name}")
    except PluginError:  # told when the session begins
        return False


def _says_one_instance(publisher: Any, argument: str | None) -> bool:
    said = getattr(publisher, "one_instance", False)
    return bool(said(argument) if callable(said) else said)


def can_be_read_by_all(path: Path) -> bool:
    """Whether every user of the host can read the file; False where that cannot be told."""
    try:
        return os.name == "posix" and bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def option_with_password(said: SettingsLayer | Instance) -> OptionRow | None:
    """The first option with what looks like a password, text before an @ in a URL; None where there is none."""
    return next((option for option, text in texts_of(said, SECRET_OPTIONS) if _PASSWORD.search(text)), None)


def check_spec(key: str, spec: str) -> None:
    """Whether the plugin is installed that the setting `key` names. Its import is left to the session.

    Raises SpecError.
    """
    if OPTIONS[key].spec_of == "publisher":
        Catalogue(PUBLISHERS).find(parse_spec(spec))
        return
    for hop in hop_texts(spec):
        Catalogue(BACKENDS).find(parse_backend_spec(hop))
        for member in parse_spec_list(hop):
            Catalogue(BACKENDS).find(member)
