"""A plugin is made from its argument, and from the interface that was chosen, if it takes one."""

from typing import Any

import pytest

from portmap.errors import SpecError
from portmap.loading.construct import construct
from portmap.syntax.plugin_specs import Spec


class Old:
    """Knows no interfaces, as third parties' backends do."""

    def __init__(self, *given: object) -> None:
        self.given = given

    @classmethod
    def from_argument(cls, argument: str | None) -> "Old":
        return cls(argument)


class New(Old):
    """Takes one."""

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "New":
        return cls(argument, interface)

    race_from_argument = from_argument


@pytest.mark.parametrize(("plugin", "given"), [(Old, ("1.2.3.4",)), (New, ("1.2.3.4", None))])
def test_without_an_interface_every_plugin_gets_its_argument_alone(plugin: Any, given: tuple[object, ...]) -> None:
    assert construct(plugin, Spec("acme", "1.2.3.4"), "acme").given == given


@pytest.mark.parametrize("constructor", ["from_argument", "race_from_argument"])
def test_a_plugin_that_takes_an_interface_gets_it(constructor: str) -> None:
    assert construct(New, Spec("acme", interface="eth1"), "acme", constructor).given == (None, "eth1")


def test_a_plugin_that_takes_none_is_refused_without_its_argument() -> None:
    with pytest.raises(SpecError, match=r"^acme uses no interface that can be chosen: leave out eth1$"):
        construct(Old, Spec("acme", "secret", interface="eth1"), "acme")
