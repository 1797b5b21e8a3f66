"""The default state folder: where it cannot be used, and for commands that only read."""

import sys
from pathlib import Path

import pytest
from tests.cli.run_command import Run

from portmap.testing import Router


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_a_default_state_folder_that_cannot_be_written_to_costs_the_memory_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/proc/self")
    code, out, err = run("--nat", "extip:1.2.3.4", "--for", "1s", "80")
    assert (code, "mapped" in out) == (0, True)
    assert err.startswith("portmap: ports are not remembered: the state folder /proc/self cannot be used: ")


def test_a_command_that_only_reads_makes_no_folder(
    run: Run, router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "mine"))
    for words in (["status"], ["ls", "--nat", f"upnp:{router.description_url}"]):
        assert run(*words).code == 0
    assert not (tmp_path / "mine").exists()
