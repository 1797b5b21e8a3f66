"""What every backend promises: the rules of `portmap.hookspecs`, each of them a test.

A test's name is the promise, its failure a sentence. Backends are called through Nat, from a thread that did not make
them, as the core does.
"""

# ruff: noqa: D102  # a test's name is its docstring

from typing import Any, ClassVar

from portmap.hookspecs import BACKENDS
from portmap.model import Kind
from portmap.testing.contract.checks import require
from portmap.testing.contract.loop import LoopPromises
from portmap.testing.contract.plugin import PluginContract
from portmap.testing.contract.static import StaticPromises

_PROMISES: dict[Kind, type[PluginContract]] = {Kind.LOOP: LoopPromises, Kind.STATIC: StaticPromises}


class BackendContract(StaticPromises, LoopPromises):
    """Subclass it, say which class in `plugin`; for a LOOP backend override the fixture `gateway` and `make`."""

    group: ClassVar[str] = BACKENDS

    def __init_subclass__(cls, **more: Any) -> None:
        """Leave out the promises that a backend of this kind does not make."""
        super().__init_subclass__(**more)
        if "plugin" in vars(cls):
            kind = getattr(cls.plugin, "kind", None)
            for its_kind, promises in _PROMISES.items():
                for name, test in vars(promises).items():
                    if name.startswith("test_") and name not in vars(cls):
                        setattr(cls, name, test if its_kind is kind else None)

    def test_it_declares_its_kind(self) -> None:
        kind = getattr(self.plugin, "kind", None)
        require(isinstance(kind, Kind), f"{self.plugin.__name__} declares no kind: set `kind: ClassVar[Kind]`")
