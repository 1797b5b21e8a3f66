"""Installs a pretend plugin, and shortens the time that plugins have."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Install

from portmap.loading import time_limit

LIMIT = 0.3  # seconds in place of the limit for plugins
_numbers = itertools.count()
InstallAcme = Callable[[str], Path]


@pytest.fixture
def install_acme(install: Install) -> InstallAcme:
    """Installs such a source under a module name of its own: one that hangs may end during another test."""

    def put(text: str) -> Path:
        module = f"acme_nat_{next(_numbers)}"
        modules: Any = {module: text}
        return install("acme-nat", f"[portmap.backends]\nacme = {module}:Acme\n", **modules)

    return put


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "SECONDS", LIMIT)
