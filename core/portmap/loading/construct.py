"""Constructs a plugin from its spec argument."""

from collections.abc import Callable
from functools import partial
from inspect import signature
from typing import Any

from portmap.errors import PluginError, SpecError
from portmap.loading.time_limit import PluginRaised, call_with_limit
from portmap.syntax.plugin_specs import Spec


def construct(
    plugin_class: Any,
    spec: Spec,
    name: str,
    constructor: str = "from_argument",
    limit: Callable[[Callable[[], Any], str], Any] = call_with_limit,
) -> Any:
    """Construct a plugin from its argument, and from the interface where the spec names one.

    Raises SpecError, also for a plugin that knows no interfaces, or PluginError for whatever else it raises. No message
    repeats the argument, which may hold a secret.
    """
    try:
        return limit(lambda: _make(plugin_class, spec, constructor), f"{constructor} of {name}")
    except PluginRaised as error:
        # The error may repeat the argument, which may hold a password: only without one is it repeated.
        why = f": {error.text}" if spec.argument is None else " for its argument"
        raise PluginError(f"{name} raised {error.kind}{why}") from error.__cause__


def _make(plugin_class: Any, spec: Spec, constructor: str) -> Any:
    make = getattr(plugin_class, constructor)
    if spec.interface is not None:
        if "interface" not in signature(make).parameters:
            raise SpecError(f"{spec.name} uses no interface that can be chosen: leave out {spec.interface}")
        make = partial(make, interface=spec.interface)
    return make(spec.argument)
