"""Constructs a plugin from its spec argument."""

from collections.abc import Callable
from typing import Any

from portmap.errors import PluginError
from portmap.loading.time_limit import PluginRaised, call_with_limit
from portmap.syntax.specs import Spec


def construct(
    plugin_class: Any,
    spec: Spec,
    name: str,
    constructor: str = "from_argument",
    limit: Callable[[Callable[[], Any], str], Any] = call_with_limit,
) -> Any:
    """Construct a plugin from its argument. Raises SpecError, or PluginError for whatever else it raises.

    No message repeats the argument, which may hold a secret.
    """
    try:
        return limit(lambda: getattr(plugin_class, constructor)(spec.argument), f"{constructor} of {name}")
    except PluginRaised as error:
        # The error may repeat the argument, which may hold a password: only without one is it repeated.
        why = f": {error.text}" if spec.argument is None else " for its argument"
        raise PluginError(f"{name} raised {error.kind}{why}") from error.__cause__
