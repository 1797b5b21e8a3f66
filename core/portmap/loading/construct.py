"""Constructs a plugin from its spec argument."""

from collections.abc import Callable
from typing import Any

from portmap.errors import PluginError, SpecError
from portmap.loading.time_limit import call_with_limit
from portmap.syntax.specs import Spec


def construct(
    plugin_class: Any,
    spec: Spec,
    name: str,
    constructor: str = "from_argument",
    limit: Callable[[Callable[[], Any], str], Any] = call_with_limit,
) -> Any:
    """Construct a plugin from its argument. Raises SpecError, or PluginError for whatever else it raises."""
    try:
        construct = getattr(plugin_class, constructor)
        return limit(lambda: construct(spec.argument), f"{constructor} of {name}")
    except (PluginError, SpecError):
        raise
    except (Exception, SystemExit) as error:
        # The error may repeat the argument, which may hold a password: only without one is it repeated.
        why = f": {error}" if spec.argument is None else " for its argument"
        raise PluginError(f"{name} raised {type(error).__name__}{why}") from error
