"""The default state folder: where it cannot be used, and for commands that only read."""

import os
import subprocess
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


@pytest.mark.skipif(os.name != "posix", reason="the limit is a shell's")
@pytest.mark.parametrize(("command", "rest"), [("", "--for 1s 24001"), ("run", "24001 -- sleep 1")])
def test_a_state_folder_that_can_no_longer_be_written_to_is_told_once(
    router: Router, tmp_path: Path, command: str, rest: str
) -> None:
    line = f"{sys.executable} -m portmap {command} -4 --nat pmp:{router.address} --state {tmp_path} {rest}"
    full = f"ulimit -f 0; exec {line}"  # no file can grow, as on a full disk
    ran = subprocess.run(["sh", "-c", full], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr.count("so the next session will not know these ports: File too large")) == (0, 1)
