"""What the user asks for on the command line, in the environment and in a file, settled into instances.

Nothing is sent and nothing is opened here; what makes no sense is a SpecError.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from portmap.cli.state_folder import path_of
from portmap.config.options import SPEC_OPTIONS
from portmap.config.settings import (
    Instance,
    MappingText,
    SettingsLayer,
    environment_layer,
    flags_layer,
    resolve,
    texts_of,
)
from portmap.errors import SpecError
from portmap.model import DEFAULT_LIFETIME
from portmap.syntax.durations import YEAR, parse_duration

DEFAULT_MAPPINGS = ("30303/both",)  # go-ethereum's port


class HoldArguments(NamedTuple):
    """What the command line says, checked. `seconds`: for how long; None: until a signal. `verbosity`: how many -v."""

    flags: SettingsLayer
    config: Path | None = None
    seconds: int | None = None
    metrics: str | None = None
    json: bool = False
    quiet: bool = False
    verbosity: int = 0

    @classmethod
    def parse(cls, mappings: Sequence[str], given: Mapping[str, Any]) -> Self:
        """Check the command line's words, by the options' names. Raises SpecError."""
        flags = flags_layer(given, mappings)
        if flags.ipv4 is False and flags.ipv6 is False:
            raise SpecError("-4 and -6 exclude each other: leave out both to have IPv4 and IPv6")
        duration, config = given["for_"], given.get("config")
        return cls(
            flags,
            config=None if config is None else path_of(config, "--config"),
            seconds=None if duration is None else parse_duration(duration, "--for", longest=YEAR),
            metrics=given.get("metrics"),
            json=given["json"],
            quiet=given["quiet"],
            verbosity=given["verbose"],
        )

    @property
    def said(self) -> SettingsLayer:
        """What the flags and the environment say. Raises SpecError."""
        return self.flags.over(environment_layer(os.environ))

    @property
    def asks_for_nothing(self) -> bool:
        """Whether neither flags nor environment name a port, a gateway, a publisher or a file."""
        said = self.said
        return self.config is None and said.nat is None and said.mappings is None and said.publish is None

    def resolved(self) -> tuple[Instance, ...]:
        """What was asked for, by flags, environment and file as they are now. Raises SpecError."""
        if self.config is None:
            return resolve(self.said)
        from portmap.cli.config_file import check_targets, load_config  # noqa: PLC0415  # only who has a file pays for it

        instances = resolve(self.said, load_config(self.config))
        check_targets(instances)
        return instances

    def check(self) -> None:
        """Check what is checked later otherwise: plugins, mappings, the address for metrics.

        Raises SpecError and PluginError.
        """
        from portmap.backends.load import load  # noqa: PLC0415  # the command that holds ports loads it later
        from portmap.cli.config_file import check_spec  # noqa: PLC0415  # as above
        from portmap.cli.hold.metrics import parse_address  # noqa: PLC0415  # as above

        for option, spec in texts_of(self.flags, SPEC_OPTIONS):
            if option.spec_of == "backend":
                load(spec)
            else:
                check_spec(option.name, spec)
        if self.metrics is not None:
            parse_address(self.metrics)
        for wanted in self.flags.mappings or ():
            wanted.requests(DEFAULT_LIFETIME)

    def instances(self) -> tuple[Instance, ...]:
        """What shall run. Where no mapping was named: the backend's, else DEFAULT_MAPPINGS.

        Raises SpecError and PluginError.
        """
        return tuple(it if it.mappings else _with_default(it) for it in self.resolved())


def _with_default(instance: Instance) -> Instance:
    from portmap.session.open import default_mappings  # noqa: PLC0415  # who names mappings does not wait for this

    return replace(instance, mappings=tuple(map(MappingText, default_mappings(instance.gateway) or DEFAULT_MAPPINGS)))
