"""The distribution as a user gets it: built, installed into fresh environments, asked for its backends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
UNCOMPILED = os.environ | {"PIP_COMPILE": "0"}  # of all that pip installs, we run a small part, and that twice
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT))
    (built,) = out.glob("*.whl")
    return built


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_gives_a_working_command_on(version: str, wheel: Path, tmp_path: Path) -> None:
    install(str(wheel), python=interpreter(version), environment=tmp_path)
    assert_all_backends_work(tmp_path)


@pytest.mark.parametrize("form", [(str(ROOT),), ("-e", str(ROOT))], ids=["pip install .", "pip install -e ."])
def test_a_checkout_gives_a_working_command_by(form: tuple[str, ...], tmp_path: Path) -> None:
    install(*form, python=sys.executable, environment=tmp_path)
    assert_all_backends_work(tmp_path)


def test_the_wheel_is_typed_and_carries_no_tests(wheel: Path) -> None:
    names = run(sys.executable, "-m", "zipfile", "-l", str(wheel))
    assert names.count("py.typed") == 1 + len(list((ROOT / "plugins").iterdir()))
    assert "tests/" not in names


def assert_all_backends_work(environment: Path) -> None:
    table = run(str(environment / "bin" / "portmap"), "backends")
    assert "broken" not in table
    for name in ("any", "none", "pmp", "upnp", "extip"):
        assert name in table
    assert run(str(environment / "bin" / "python"), "-m", "portmap", "--version").startswith("portmap ")


def interpreter(version: str) -> str:
    """A CPython of that version; the tests' own where it fits, so that at least one case always runs."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    candidates = [f"python{version}", *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for candidate in candidates:
        try:
            answer = run(candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
        except (OSError, subprocess.CalledProcessError):
            continue
        if answer == version:
            return candidate
    return pytest.skip(f"needs CPython {version} (as python{version} on PATH, or from pyenv)")


def install(*what: str, python: str, environment: Path) -> None:
    """Into a fresh environment, by the interpreter's own pip where it has one: to give it another takes seconds."""
    inside = str(environment / "bin" / "python")
    if run(python, "-c", "from importlib.util import find_spec; print(bool(find_spec('pip')))") == "True\n":
        run(python, "-m", "venv", "--without-pip", str(environment))
        pip = [python, "-m", "pip", "--python", inside]
    else:
        run(python, "-m", "venv", str(environment))
        pip = [inside, "-m", "pip"]
    run(*pip, "install", "-q", "--disable-pip-version-check", *what)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd="/", env=UNCOMPILED).stdout
