"""Whether other distributions have plugins is seen without importlib.metadata, and never wrongly denied."""

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Install

from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import Catalogue
from portmap.loading.other_entries import MAX_TEXT, others_may_have

ACME = f"[{BACKENDS}]\nacme = acme:Acme\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place on sys.path."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "missing"), str(tmp_path)])
    return tmp_path


def put(place: Path, folder: str, text: str | bytes) -> Path:
    (place / folder).mkdir()
    file = place / folder / "entry_points.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_where_nothing_else_is_installed_they_have_none(place: Path) -> None:
    put(place, "portmap_nat-1.0.dist-info", ACME)
    assert not others_may_have(BACKENDS)


def test_distributions_with_other_entry_points_or_none_have_none(place: Path) -> None:
    put(place, "acme-1.0.dist-info", "[console_scripts]\nacme = acme:main\n")
    (place / "plain-1.0.dist-info").mkdir()
    (place / "old-1.0.egg-info").write_text("a file, as distutils wrote it")
    assert not others_may_have(BACKENDS)


@pytest.mark.parametrize(
    "folder", ["acme-1.0.dist-info", "Acme-1.0.DIST-INFO", "acme.egg-info", "portmap_nat_x-1.dist-info"]
)
def test_a_distribution_that_names_the_group_has_some(place: Path, folder: str) -> None:
    put(place, folder, ACME)
    assert others_may_have(BACKENDS)
    assert not others_may_have(PUBLISHERS)


def an_archive(place: Path) -> None:
    with zipfile.ZipFile(place / "all.pyz", "w") as archive:
        archive.writestr("acme-1.0.dist-info/entry_points.txt", ACME)
    sys.path.append(str(place / "all.pyz"))


def an_egg(place: Path) -> None:
    (place / "acme-1.0.egg").mkdir()
    put(place / "acme-1.0.egg", "EGG-INFO", ACME)
    sys.path.append(str(place / "acme-1.0.egg"))


def a_file_that_cannot_be_read(place: Path) -> None:
    put(place, "acme-1.0.dist-info", ACME).unlink()
    (place / "acme-1.0.dist-info" / "entry_points.txt").mkdir()


def a_file_without_end(place: Path) -> None:
    put(place, "acme-1.0.dist-info", "#" * MAX_TEXT + ACME)


def a_file_in_another_encoding(place: Path) -> None:
    put(place, "acme-1.0.dist-info", ACME.encode("utf-16"))


@pytest.mark.parametrize(
    "unusual", [an_archive, an_egg, a_file_that_cannot_be_read, a_file_without_end, a_file_in_another_encoding]
)
def test_what_is_not_understood_may_have_some(place: Path, unusual: Callable[[Path], None]) -> None:
    unusual(place)
    assert others_may_have(BACKENDS)


def test_a_finder_that_knows_distributions_of_its_own_may_have_some(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Finder:
        def find_distributions(self, *_: object) -> list[object]:
            return []

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert others_may_have(BACKENDS)


def test_what_the_catalogue_has_is_the_same_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    for group in (BACKENDS, PUBLISHERS):
        monkeypatch.setattr("portmap.loading.catalog.others_may_have", lambda _: False)
        quick = Catalogue(group).plugins
        monkeypatch.setattr("portmap.loading.catalog.others_may_have", lambda _: True)
        whole = [it for it in Catalogue(group).plugins if it.distribution == quick[0].distribution]
        assert [it._replace(entry=None) for it in quick] == [it._replace(entry=None) for it in whole]  # type: ignore[arg-type]  # not compared


def test_another_distributions_plugin_is_in_the_catalogue(install: Install) -> None:
    install("acme-nat", ACME, acme="class Acme: ...")
    assert "acme-nat" in {plugin.distribution for plugin in Catalogue(BACKENDS).plugins}


def test_where_only_ours_are_installed_importlib_metadata_is_not_imported(place: Path) -> None:
    program = (
        "import sys; from portmap.loading.catalog import Catalogue;"
        f"sys.path = [it for it in sys.path if not it.endswith('thirdparty')]; found = Catalogue({BACKENDS!r}).plugins;"
        "sys.exit(not found or 'importlib.metadata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
