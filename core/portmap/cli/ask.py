"""The commands that ask once and print: `ip` and `backends`."""

import json
from dataclasses import asdict, dataclass
from typing import Self

import portmap
from portmap.cli import logs
from portmap.cli.render import JSON_VERSION
from portmap.errors import PluginError
from portmap.hookspecs import BACKENDS
from portmap.model import scope_of
from portmap.plugins import Catalogue, Plugin


def print_external_ip(nat: str, *, as_json: bool, verbosity: int) -> None:
    """Print the external address. Raises PortmapError."""
    logs.set_up(verbosity)
    door = portmap.load(nat)
    address = door.external_ip()
    if as_json:
        told = {"v": JSON_VERSION, "external_ip": str(address), "scope": scope_of(address), "gateway": str(door)}
        print(json.dumps(told, separators=(",", ":")))
    else:
        print(address)


def print_backends(*, as_json: bool) -> None:
    """Print every installed backend, one a row; a broken one with the reason."""
    rows = [Row.of(plugin) for plugin in Catalogue(BACKENDS).plugins]
    if as_json:
        print(json.dumps({"v": JSON_VERSION, "backends": [asdict(row) for row in rows]}, separators=(",", ":")))
        return
    table = [("NAMES", "KIND", "FROM", "STATUS")]
    table += [(", ".join(row.names), row.kind, row.distribution, row.reason or "ok") for row in rows]
    widths = [max(len(cells[column]) for cells in table) for column in range(3)]
    for *cells, status in table:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)) + f"  {status}")


@dataclass(frozen=True, slots=True)
class Row:
    """What is told of a backend; `reason`: why it is broken, else empty."""

    names: tuple[str, ...]
    kind: str
    distribution: str
    reason: str = ""

    @classmethod
    def of(cls, plugin: Plugin) -> Self:
        """Import the plugin to see whether it works."""
        origin = f"{plugin.distribution} {plugin.version}"
        try:
            return cls(plugin.names, plugin.load().kind.value, origin)
        except PluginError as error:
            return cls(plugin.names, "broken", origin, str(error))
