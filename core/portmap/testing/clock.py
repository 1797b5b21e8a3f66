"""Scripted time: an inbox whose sleep is a jump, so that hours of the loop take milliseconds.

The story is the argument list: messages with the second at which they arrive. When the loop sleeps, the clock jumps to
the next message or to where the loop wanted to wake; at `end` a Stop arrives. No thread, no real waiting.
"""

from collections.abc import Iterable
from concurrent.futures import Future, wait
from typing import Any

from portmap.loop.inbox import Inbox, Message, Stop


class ScriptedInbox(Inbox):
    """An inbox on scripted time, from second 0 to second `end`."""

    def __init__(self, story: Iterable[tuple[float, Message]] = (), *, end: float) -> None:
        self.seconds = 0.0
        super().__init__(clock=lambda: self.seconds)
        self._story = sorted([*story, (end, Stop())], key=lambda scene: scene[0])

    def pass_time(self, seconds: float) -> None:
        """Time goes by during a call to the gateway."""
        self.seconds += seconds

    def next(self, until: float) -> Message | None:
        """The next message of the story, or None at `until`; the clock jumps to whichever it is."""
        if self._messages:
            return super().next(until)
        if self._story and self._story[0][0] <= max(until, self.seconds):
            at, message = self._story.pop(0)
            self.seconds = max(self.seconds, at)
            return message
        self.seconds = max(self.seconds, until)
        return None

    def wait(self, call: Future[Any], timeout: float) -> None:  # noqa: ARG002  # scripted calls end by themselves
        """Wait for a scripted call; how long it takes on the clock is the call's own affair."""
        wait((call,))
