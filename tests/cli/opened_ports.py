"""What the tests of `portmap open` share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from portmap.cli.commands.close import close_ports
from portmap.cli.commands.open import open_ports
from portmap.cli.output.open_ports import OpenedPort
from portmap.model import PortRequest, Protocol
from portmap.storage.journal import JournalEntry
from portmap.storage.open_ports import OpenPorts
from portmap.testing import Router

Told = Callable[[], list[str]]


def pmp(router: Router) -> str:
    return f"pmp:{router.address}"


def upnp(router: Router) -> str:
    return f"upnp:{router.description_url}"


def open_(spec: str, folder: Path, *mappings: str, **options: Any) -> int:
    return open_ports(spec, mappings, 600, folder, ipv6=False, **options)


def close(folder: Path, *mappings: str, nat: str | None = None) -> int:
    return close_ports(nat, mappings, folder, mine=not mappings)


def left(folder: Path) -> tuple[JournalEntry, ...]:
    """What is noted as open."""
    ports = OpenPorts(folder)
    ports.close()
    return ports.entries


def outside(router: Router) -> list[int]:
    return sorted(entry.external_port for entry in router.entries)


def opened(internal: int, external: int, protocol: Protocol = Protocol.TCP, **more: Any) -> OpenedPort:
    return OpenedPort(PortRequest(protocol, internal, more.pop("suggested_port", 0)), external, 600, "1.2.3.4", **more)
