"""Python's UPnP libraries find the simulated router a faithful peer: they read its service descriptions first.

They are in an environment of their own (`make clients`). `PORTMAP_CLIENTS=required` turns the skip of a machine without
it into a failure.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from portmap.model import Protocol
from portmap.testing import Entry, Heard, Router

Start: TypeAlias = Callable[..., Router]
PYTHON = Path(__file__).parents[2] / ".clients/bin/python"
SCRIPT = Path(__file__).with_name("python_client.py")
LIBRARIES = ("upnpclient", "upnpy", "async_upnp_client")
TCP_WEB = Entry(Protocol.TCP, 20080, "127.0.0.1", 20081, 600, "portmap:web")


def step(library: str, verb: str, router: Router) -> Any:
    """What this library makes of one action; skips where it is not installed."""
    if not (PYTHON.parents[1] / "ready").exists():
        if os.environ.get("PORTMAP_CLIENTS") == "required":
            pytest.fail("PORTMAP_CLIENTS=required, but the libraries are not installed: make clients")
        pytest.skip("Python's UPnP libraries are not installed: make clients")
    command = [str(PYTHON), str(SCRIPT), library, verb, router.description_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_learns_the_address_and_maps(start: Start, library: str, version: int) -> None:
    router = start(igd=version)
    assert step(library, "address", router) == {"NewExternalIPAddress": "1.2.3.4"}
    assert step(library, "add", router) == {}
    assert router.entries == (TCP_WEB,)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_reads_back_and_deletes(start: Start, library: str) -> None:
    router = start()
    step(library, "add", router)
    read = step(library, "read", router)
    assert (str(read["NewInternalPort"]), read["NewInternalClient"]) == ("20081", "127.0.0.1")
    assert step(library, "delete", router) == {}
    assert len(router.entries) == 0


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_finds_the_actions_of_version_2(start: Start, library: str) -> None:
    assert str(step(library, "add_any", start(igd=2))["NewReservedPort"]) == "20080"


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_understands_a_refusal(start: Start, library: str) -> None:
    assert re.search("NoSuchEntryInArray|714", step(library, "delete", start()))


def test_a_library_reads_the_service_descriptions(start: Start) -> None:
    router = start()
    step("upnpclient", "address", router)
    assert router.heard == Heard(description=1, scpd=2, external_ip=1)
