"""What every publisher promises: to take whatever the loop announces, and to harm nobody."""

# ruff: noqa: D102  # a test's name is its docstring

from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from portmap.errors import PortmapError
from portmap.events import Event
from portmap.hookspecs import PUBLISHERS
from portmap.plugins import validate_hooks
from portmap.record import Record
from portmap.testing.contract.plugin import PluginContract
from portmap.testing.contract.promise import in_time, require
from portmap.testing.contract.samples import FULL_RECORD, MINIMAL_RECORD, Unheard, all_events

EVENTS = all_events()


class PublisherContract(PluginContract):
    """Subclass it, say which class in `plugin`; override `argument` or `make` where it needs something."""

    group: ClassVar[str] = PUBLISHERS
    deadline: ClassVar[float] = 10.0
    """Seconds for one event; a publisher may block, but not for ever."""

    def make(self) -> Any:
        """A publisher that may be told anything. The working directory is a temporary one."""
        return self.plugin.from_argument(self.argument)

    @pytest.fixture
    def hook(self, folder: Path) -> Any:  # noqa: ARG002  # `make` may write a file there
        """The hooks of a publisher that was made in this thread; every call is made in another."""
        return validate_hooks(self.make(), self.group, self.plugin.__name__).hook

    @pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
    def test_it_takes(self, event: Event, hook: Any) -> None:
        self._tell(hook, event)

    def test_it_ignores_an_event_that_it_does_not_know(self, hook: Any) -> None:
        self._tell(hook, Unheard())

    def test_it_takes_events_in_any_order_and_again(self, hook: Any) -> None:
        for event in [*reversed(EVENTS.values()), *EVENTS.values()]:
            self._tell(hook, event)

    @pytest.mark.parametrize("record", [MINIMAL_RECORD, FULL_RECORD], ids=["empty", "full"])
    def test_a_signed_record_is_one_printable_line(self, record: Record, hook: Any) -> None:
        if not hook.sign_record.get_hookimpls():
            pytest.skip("it has no hook sign_record: that one is optional")
        text = in_time(partial(hook.sign_record, record=record), self.deadline, "sign_record")
        fine = isinstance(text, str) and bool(text) and text.isprintable()
        require(fine, f"sign_record answered {text!r} where one line of text was due")

    def _tell(self, hook: Any, event: Event) -> None:
        __tracebackhide__ = True
        try:
            in_time(partial(hook.on_event, event=event), self.deadline, "on_event")
        except PortmapError:
            return  # said properly: the core logs it with the publisher's name
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is the finding
            pytest.fail(f"on_event({event}) raised {error!r}: raise errors of portmap.errors", pytrace=False)
