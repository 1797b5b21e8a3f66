"""The Python in README and docs passes the type checkers that its readers use, in their strict modes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.blocks import ROOT, blocks

PYRIGHT = Path(sys.executable).with_name("basedpyright")  # pyright, with a node of its own


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for each example."""
    folder = tmp_path_factory.mktemp("examples")
    for number, block in enumerate(blocks("python")):
        (folder / f"example_{number}.py").write_text(f"# {block}\n{block.text}")
    return folder


def checked(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*words], capture_output=True, text=True, check=False, timeout=300, cwd=folder)


@pytest.mark.timeout(300)
def test_mypy_strict_accepts_every_example(written: Path) -> None:
    cache = str(ROOT / ".mypy_cache" / "examples")
    told = checked(sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, ".", folder=written)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.mark.timeout(300)
@pytest.mark.skipif(not PYRIGHT.exists(), reason="basedpyright, of the extra [dev], is not installed")
def test_pyright_strict_accepts_every_example(written: Path) -> None:
    settings = {"typeCheckingMode": "strict", "include": ["."], "pythonVersion": "3.11"}
    (written / "pyrightconfig.json").write_text(json.dumps(settings))
    told = checked(str(PYRIGHT), "--pythonpath", sys.executable, "--level", "error", folder=written)
    assert told.returncode == 0, told.stdout + told.stderr
