"""What every publisher promises: to take whatever it is told, to make the newest state true, and to do no harm."""

# ruff: noqa: D102  # a test's name is its docstring

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError
from portmap.events import Event
from portmap.hookspecs import PUBLISHERS
from portmap.loading.catalog import validate_hooks
from portmap.node.record import Record
from portmap.testing.contract.checks import in_time, require
from portmap.testing.contract.plugin import PluginContract
from portmap.testing.contract.samples import (
    FIRST,
    FIRST_PORT,
    FULL,
    FULL_RECORD,
    LOST,
    MINIMAL_RECORD,
    SECOND,
    SECOND_PORT,
    STATES,
    Unheard,
    all_events,
)
from portmap.testing.contract.target import Target

EVENTS = all_events()


class PublisherContract(PluginContract):
    """Subclass it, say which class in `plugin`; override `argument` or `make` where it needs something."""

    group: ClassVar[str] = PUBLISHERS
    deadline: ClassVar[float] = 10.0
    """Seconds for one call; a publisher may block, but not for ever."""

    @pytest.fixture
    def target(self) -> Target:
        """What it publishes to in a test. Override it: without one, the promises about what arrives are skipped."""
        return Target()

    def make(self, target: Any) -> Any:  # noqa: ARG002  # for those who override it
        """A publisher to that target, that may be told anything. The working directory is a temporary one."""
        return self.plugin.from_argument(self.argument)

    @pytest.fixture
    def publisher(self, folder: Path, target: Target) -> Any:  # noqa: ARG002  # `make` may write a file there
        """Made in this thread; every call is made in another."""
        return self.make(target)

    @pytest.fixture
    def hook(self, publisher: Any) -> Any:
        return validate_hooks(publisher, self.group, self.plugin.__name__).hook

    # The state -----------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("state", STATES.values(), ids=STATES)
    def test_it_takes_the_state(self, state: Endpoints, hook: Any) -> None:
        for again in (False, False, True):
            self._converge(hook, state, again=again)

    def test_it_converges_to_the_newest_state(self, hook: Any, target: Target) -> None:
        self._need(hook, target)
        self._converge_well(hook, FIRST)
        self._converge_well(hook, SECOND)
        require(set(target.ports()) == {SECOND_PORT}, f"told of port {SECOND_PORT}, it shows {target.ports()}")

    def test_told_twice_it_shows_the_same(self, hook: Any, target: Target) -> None:
        self._need(hook, target)
        for again in (False, False, True):
            self._converge_well(hook, FIRST, again=again)
        require(list(target.ports()) == [FIRST_PORT], f"told of port {FIRST_PORT} thrice, it shows {target.ports()}")

    def test_it_says_nothing_or_a_few_words_about_what_the_target_has(self, hook: Any) -> None:
        if not hook.converge.get_hookimpls():
            pytest.skip("it has no hook converge: that one is optional")
        words: object = None
        with suppress(PortmapError):  # said properly
            words = in_time(partial(hook.converge, state=FIRST, again=False), self.deadline, "converge")
        fine = words is None or (isinstance(words, str) and words.isprintable() and len(words) <= 200)
        require(fine, f"converge returned {words!r}: return what the target has, in a short line, or None")

    def test_a_port_that_is_lost_is_no_longer_shown(self, hook: Any, target: Target) -> None:
        self._need(hook, target)
        self._converge_well(hook, FIRST)
        self._converge_well(hook, LOST)
        left = {FIRST_PORT} if target.keeps_what_was_lost else set()
        require(set(target.ports()) == left, f"once its port was lost, it shows {target.ports()}")

    def test_a_dead_target_is_an_error_in_time_and_is_not_remembered(self, hook: Any, target: Target) -> None:
        self._need(hook, target)
        target.kill()
        for _ in range(2):
            failed = self._converge(hook, FIRST)
            require(failed, "the target was gone, and it says nothing of it: raise an error of portmap.errors")
        target.revive()
        self._converge_well(hook, FIRST)
        require(set(target.ports()) == {FIRST_PORT}, f"once the target was there again, it shows {target.ports()}")

    # The stream, the record, the name ------------------------------------------------------------------------

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

    def test_its_name_is_short_and_printable(self, publisher: Any, hook: Any) -> None:
        self._converge(hook, FULL)
        name = str(publisher)
        fine = name != object.__repr__(publisher) and name.isprintable() and 0 < len(name) <= 300
        require(fine, f"str() says {name!r}: say in a few words whom it publishes to, and no secret")

    def _need(self, hook: Any, target: Target) -> None:
        if not hook.converge.get_hookimpls():
            pytest.skip("it has no hook converge: that one is optional")
        target.ports()

    def _converge(self, hook: Any, state: Endpoints, *, again: bool = False) -> bool:
        """Tell the state; whether it said properly that it did not take."""
        __tracebackhide__ = True
        return self._told(partial(hook.converge, state=state, again=again), "converge")

    def _converge_well(self, hook: Any, state: Endpoints, *, again: bool = False) -> None:
        __tracebackhide__ = True
        require(
            not self._converge(hook, state, again=again), f"{state.ports} could not be published, with nothing amiss"
        )

    def _tell(self, hook: Any, event: Event) -> None:
        __tracebackhide__ = True
        self._told(partial(hook.on_event, event=event), f"on_event({event})")

    def _told(self, call: Callable[[], object], what: str) -> bool:
        __tracebackhide__ = True
        try:
            in_time(call, self.deadline, what)
        except PortmapError:
            return True  # said properly: the core logs it with the publisher's name
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is the finding
            pytest.fail(f"{what} raised {error!r}: raise errors of portmap.errors", pytrace=False)
        return False
