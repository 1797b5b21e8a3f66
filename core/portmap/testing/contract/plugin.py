"""What every plugin promises, backend or publisher, before it has spoken to anybody."""

# ruff: noqa: D102  # a test's name is its docstring

import inspect
from pathlib import Path
from typing import Any, ClassVar

import pytest

from portmap.errors import PluginError, SpecError
from portmap.loading.catalog import manager_for, validate_hooks
from portmap.testing.contract import hostile_input
from portmap.testing.contract.checks import in_time, require
from portmap.testing.contract.network_audit import network_calls_of

PARSING = 2.0  # seconds for from_argument, which does no network I/O


class PluginContract:
    """The promises that both contracts share. `plugin` is the class that the entry point names."""

    group: ClassVar[str]
    plugin: ClassVar[type[Any]]
    argument: ClassVar[str | None] = None
    """What follows the colon of a spec that works, for `make`."""

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A working directory of the test's own: an argument may be a file's name, and a strange one."""
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_it_has_the_hooks_that_its_group_requires_and_no_misspelt_one(self) -> None:
        try:
            validate_hooks(self.plugin, self.group, self.plugin.__name__)
        except PluginError as error:
            pytest.fail(str(error), pytrace=False)

    def test_no_hook_gives_an_argument_a_default_value(self) -> None:
        for hook in vars(manager_for(self.group).hook):
            implementation = getattr(self.plugin, hook, None)
            arguments = inspect.signature(implementation).parameters.values() if callable(implementation) else ()
            for argument in arguments:
                require(
                    argument.default is argument.empty,
                    f"{hook} gives {argument.name} a default value: versions of pluggy differ in what that means",
                )

    @pytest.mark.usefixtures("folder")
    @pytest.mark.parametrize("argument", hostile_input.ARGUMENTS.values(), ids=hostile_input.ARGUMENTS)
    def test_a_strange_argument_is_a_spec_error_or_accepted_and_nothing_is_sent(self, argument: str | None) -> None:
        calls = network_calls_of(lambda: self._parse_strange(argument))
        require(not calls, f"from_argument({argument!r}) asks the network ({calls}): it only parses")

    def _parse_strange(self, argument: str | None) -> None:
        try:
            in_time(lambda: self.plugin.from_argument(argument), PARSING, "from_argument")
        except SpecError as error:
            require(bool(str(error)), "a SpecError needs a text: say what is wrong and what to try")
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is the finding
            pytest.fail(f"from_argument({argument!r}) raised {error!r}: raise SpecError", pytrace=False)
