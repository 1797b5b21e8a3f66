"""Our own entry points are known without importlib.metadata, and are the same that it knows."""

import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from portmap.errors import SpecError
from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import Catalogue
from portmap.loading.own_entries import DISTRIBUTION, MAX_SIZE, own_entries
from portmap.syntax.plugin_specs import Spec

TEXT = """
# a comment
[console_scripts]
portmap = portmap.cli:main

[portmap.backends]
acme = json:JSONDecoder
; another
nested = json.decoder:JSONDecoder.decode
"""


def put(place: Path, text: str | bytes = TEXT, folder: str = "portmap_nat-9.9.dist-info") -> None:
    (place / folder).mkdir()
    (place / folder / "entry_points.txt").write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place on sys.path that `own_entries` sees."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "missing"), str(tmp_path)])
    return tmp_path


@pytest.mark.parametrize("group", [BACKENDS, PUBLISHERS])
def test_they_are_those_that_importlib_metadata_finds_in_the_same_order(group: str) -> None:
    theirs = [entry for entry in entry_points(group=group) if entry.dist and entry.dist.name == DISTRIBUTION]
    ours = own_entries(group)
    assert [(entry.name, entry.value) for entry in ours] == [(entry.name, entry.value) for entry in theirs]
    assert {entry.origin for entry in ours} == {(DISTRIBUTION, version(DISTRIBUTION))}
    assert [entry.load() for entry in ours] == [entry.load() for entry in theirs]


def test_only_the_section_of_the_group_is_read(place: Path) -> None:
    put(place)
    assert [entry.name for entry in own_entries(BACKENDS)] == ["acme", "nested"]
    assert own_entries(PUBLISHERS) == []


def test_a_name_within_a_class_is_loaded(place: Path) -> None:
    put(place)
    assert own_entries(BACKENDS)[1].load().__qualname__ == "JSONDecoder.decode"


def test_the_first_installation_on_the_path_hides_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        put(folder, f"[{BACKENDS}]\n{folder.name} = json:JSONDecoder\n")
    monkeypatch.setattr(sys, "path", [str(first), str(second)])
    assert [entry.name for entry in own_entries(BACKENDS)] == ["first"]


@pytest.mark.parametrize(
    "text", [b"\xff\xfe", b"", TEXT.encode() + b"#" * MAX_SIZE], ids=["no text", "empty", "too long"]
)
def test_a_file_that_makes_no_sense_gives_none(place: Path, text: bytes) -> None:
    put(place, text)
    assert own_entries(BACKENDS) == []


def test_where_we_are_not_installed_as_usual_there_are_none(place: Path) -> None:
    put(place, folder="portmap_nat.egg-info")
    (place / "portmap_nat-1.0.dist-info").mkdir()
    assert own_entries(BACKENDS) == []


def test_a_name_that_is_not_ours_is_looked_for_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portmap.loading.catalog.own_entries", lambda _: [])
    assert Catalogue(BACKENDS).find(Spec("none")).distribution == DISTRIBUTION
    with pytest.raises(SpecError, match="unknown backend 'nowhere'"):
        Catalogue(BACKENDS).find(Spec("nowhere"))


@pytest.mark.parametrize("name", ["none", "extip"])
def test_to_find_a_name_of_ours_imports_no_importlib_metadata(name: str) -> None:
    program = (
        f"import sys; from portmap.loading.catalog import Catalogue; from portmap.syntax.plugin_specs import Spec;"
        f"Catalogue({BACKENDS!r}).find(Spec({name!r})); sys.exit('importlib.metadata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
