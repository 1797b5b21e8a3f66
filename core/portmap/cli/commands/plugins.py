"""The commands about plugins: what is installed, in a table or as JSON, and a package to start one from."""

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from portmap.cli.output.json_and_tables import print_json, print_table
from portmap.errors import PluginError
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import GROUP_NOUN, HOOK_SPECS, Catalogue, Plugin, validate_hooks
from portmap.scaffold import BACKEND, PUBLISHER, write_package


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRow:
    """What is printed of a plugin. A broken one has a `reason`, but neither kind nor hooks."""

    group: str
    names: tuple[str, ...]
    kind: str | None
    distribution: str
    version: str
    hooks: tuple[str, ...]
    status: str
    reason: str

    @property
    def origin(self) -> str:
        """Where it comes from: distribution and version."""
        return f"{self.distribution} {self.version}"

    @classmethod
    def of(cls, plugin: Plugin) -> Self:
        """Import the plugin to see whether it works."""
        kind: str | None = None
        hooks: tuple[str, ...] = ()
        reason = ""
        try:
            loaded = plugin.load()
            kind, hooks = _kind(loaded), _hooks(loaded, plugin.group)
        except PluginError as error:
            reason = str(error)
        return cls(
            group=GROUP_NOUN[plugin.group],
            names=plugin.names,
            kind=kind,
            distribution=plugin.distribution,
            version=plugin.version,
            hooks=hooks,
            status="broken" if reason else "ok",
            reason=reason,
        )


def rows_of(*groups: str) -> list[PluginRow]:
    """Every installed plugin of these groups."""
    return [PluginRow.of(plugin) for group in groups for plugin in Catalogue(group).plugins]


def print_plugins(*, as_json: bool) -> None:
    """Print every installed backend and publisher; a broken one with the reason."""
    rows = rows_of(BACKENDS, PUBLISHERS)
    if as_json:
        print_json(plugins=[asdict(row) for row in rows])
        return
    print_table(
        ("GROUP", "NAMES", "KIND", "FROM", "STATUS"),
        (
            (
                row.group,
                ", ".join(row.names),
                row.kind or "-",
                row.origin,
                f"{row.status}: {row.reason}" if row.reason else row.status,
            )
            for row in rows
        ),
    )


def print_new_plugin(name: str, parent: Path, *, publisher: bool = False) -> None:
    """Write a package to start from, and print what to do with it. Raises SpecError."""
    folder = write_package(name, parent, PUBLISHER if publisher else BACKEND)
    what = "a working publisher, to a file" if publisher else "a working backend, on a gateway in memory"
    print(f"wrote {folder}: {what}, and its contract test")
    there = shlex.quote(str(folder))
    print(f"test it     pytest {there}")
    print(f"install it  pip install -e {there}")
    use = f"--publish {name}:FILE" if publisher else f"--nat {name}"
    print(f"use it      portmap {use} --for 10s 8080")


def _kind(loaded: Any) -> str | None:
    kind = getattr(loaded, "kind", None)  # a publisher has none
    return None if kind is None else str(kind.value)


def _hooks(loaded: Any, group: str) -> tuple[str, ...]:
    """The hooks that it implements, in the order of `portmap.hookspecs`."""
    callers = validate_hooks(loaded, group, "").get_hookcallers(loaded) or ()
    implemented = {caller.name for caller in callers}
    return tuple(hook for hook in vars(HOOK_SPECS[group]) if hook in implemented)


def print_backends(*, as_json: bool) -> None:
    """Print every installed backend, one a row; a broken one with the reason."""
    rows = rows_of(BACKENDS)
    if as_json:
        print_json(backends=[_as_backend(row) for row in rows])
        return
    print_table(
        ("NAMES", "KIND", "FROM", "STATUS"),
        ((", ".join(row.names), row.kind or row.status, row.origin, row.reason or row.status) for row in rows),
    )


def _as_backend(row: PluginRow) -> dict[str, object]:
    return {
        "names": row.names,
        "kind": row.kind or row.status,
        "distribution": row.origin,
        "reason": row.reason,
    }
