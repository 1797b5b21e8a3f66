"""The lines of several instances: each with its instance's name.

Law: pure, as `portmap.cli.render`.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from portmap.cli.output import json_line
from portmap.cli.render import Renderer
from portmap.config import Instance
from portmap.events import Event

Show: TypeAlias = Callable[[str, Event, float], str | None]
"""An instance's name, an event and unix time in seconds to a line; None for none."""


def with_names(render: Renderer, instances: Sequence[Instance]) -> Show:
    """Lines for people, with the instance's name in front; without, where there is but one at the start."""
    width = max((len(instance.name) for instance in instances), default=0)

    def show(instance: str, event: Event, at: float) -> str | None:
        text = render(event, at)
        return f"{instance:<{width}} {text}" if text is not None and len(instances) > 1 else text

    return show


def as_named_json(instance: str, event: Event, at: float) -> str:
    """The event as one JSON object, with the instance's name."""
    return json_line(ts=round(at, 3), instance=instance, **event.to_dict())
