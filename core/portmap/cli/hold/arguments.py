"""What the user asks for on the command line, in the environment and in a file, settled into instances.

Nothing is sent and nothing is opened here; what makes no sense is a SpecError.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from portmap.cli.state_folder import path_of
from portmap.config.settings import Instance, MappingText, SettingsLayer, environment_layer, layer_from_texts, resolve
from portmap.errors import SpecError
from portmap.model import DEFAULT_LIFETIME
from portmap.syntax.durations import YEAR, parse_duration

DEFAULT_MAPPINGS = ("30303/both",)  # go-ethereum's port

_OPTIONS = {
    "lease": "--lease",
    "ip_interval": "--ip-interval",
    "on_conflict": "--on-conflict",
    "state": "--state",
    "prove": "--prove",
}


@dataclass(frozen=True, slots=True)
class HoldArguments:
    """The flags, checked; the file, if any; and for how many seconds, if not for ever."""

    flags: SettingsLayer
    config: Path | None = None
    seconds: int | None = None

    @classmethod
    def parse(
        cls,
        mappings: Sequence[str],
        *,
        nat: str | None = None,
        lease: str | None = None,
        ip_interval: str | None = None,
        publish: Sequence[str] = (),
        state: str | None = None,
        on_conflict: str | None = None,
        prove: str | None = None,
        for_: str | None = None,
        config: str | None = None,
        only_ipv4: bool = False,
        only_ipv6: bool = False,
        allow_private: bool = False,
    ) -> Self:
        """Check the command line's words. Raises SpecError."""
        if only_ipv4 and only_ipv6:
            raise SpecError("-4 and -6 together leave nothing out: say neither for both")
        said = {
            "nat": nat,
            "lease": lease,
            "ip_interval": ip_interval,
            "state": state,
            "on_conflict": on_conflict,
            "prove": prove,
            "publish": publish,
            "mappings": mappings,
        }
        layer = layer_from_texts(said, _OPTIONS)
        families = replace(
            layer,
            ipv4=False if only_ipv6 else None,
            ipv6=False if only_ipv4 else None,
            allow_private=allow_private or None,
        )
        seconds = parse_duration(for_, "--for", longest=YEAR) if for_ is not None else None
        return cls(families, None if config is None else path_of(config, "--config"), seconds)

    @property
    def asks_for_nothing(self) -> bool:
        """Whether neither flags nor environment name a port, a gateway, a publisher or a file."""
        said = self.flags.over(environment_layer(os.environ))
        return self.config is None and said.nat is None and said.mappings is None and said.publish is None

    def resolved(self) -> tuple[Instance, ...]:
        """What was asked for, by flags, environment and file as they are now. Raises SpecError."""
        file = None
        if self.config is not None:
            from portmap.cli.config_file import load_config  # noqa: PLC0415  # only who has a file pays for its reading

            file = load_config(self.config)
        return resolve(self.flags, environment_layer(os.environ), file)

    def check(self) -> None:
        """Load the backend that the flags name, and the publishers' classes. Raises SpecError and PluginError."""
        from portmap.backends.load import load  # noqa: PLC0415  # who holds ports loads it anyway
        from portmap.cli.config_file import check_spec  # noqa: PLC0415  # as above

        if self.flags.nat is not None:
            load(self.flags.nat)
        for spec in self.flags.publish or ():
            check_spec("publish", spec)
        for wanted in self.flags.mappings or ():
            wanted.requests(DEFAULT_LIFETIME)

    def instances(self) -> tuple[Instance, ...]:
        """What shall run: where no mapping was named, the backend's, else `SEED`. Raises SpecError and PluginError."""
        return tuple(it if it.mappings else _with_default(it) for it in self.resolved())


def _with_default(instance: Instance) -> Instance:
    from portmap.session.open import default_mappings  # noqa: PLC0415  # who names mappings does not wait for this

    return replace(instance, mappings=tuple(map(MappingText, default_mappings(instance.nat) or DEFAULT_MAPPINGS)))
