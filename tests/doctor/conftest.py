"""A simulated router for the doctor."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from portmap.testing import Router, loopback_address


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), external_ip="8.8.4.4") as simulated:
        yield simulated


@pytest.fixture
def no_journals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
