"""What the tests of `portmap open` share."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portmap.cli.commands.close import close_ports
from portmap.cli.commands.open import open_ports
from portmap.cli.output.open_ports import OpenedPort
from portmap.cli.terminal import discard_output
from portmap.model import PortRequest, Protocol
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_store import JournalStore
from portmap.storage.open_ports import FOLDER, OpenPorts
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


def note_expired(folder: Path, *ports: int) -> None:
    """Note ports whose lease has ended."""
    store = JournalStore(folder / FOLDER)
    now = time.time()
    store.save(Journal(tuple(JournalEntry("G", Protocol.TCP, port, port, now - 1, spec="pmp") for port in ports)))
    store.close()


@contextmanager
def without_reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Standard output is a pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    with monkeypatch.context() as patched, os.fdopen(writing, "w", closefd=False) as pipe:
        patched.setattr(sys, "stdout", pipe)
        yield
        discard_output(pipe)
    os.close(writing)


def outside(router: Router) -> list[int]:
    return sorted(entry.external_port for entry in router.entries)


def opened(internal: int, external: int, protocol: Protocol = Protocol.TCP, **more: Any) -> OpenedPort:
    return OpenedPort(PortRequest(protocol, internal, more.pop("suggested_port", 0)), external, 600, "1.2.3.4", **more)
