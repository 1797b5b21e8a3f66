"""The publisher `file`: all of one state or all of the other, and empty once nothing is open."""

import json
import os
import stat
from pathlib import Path

import pytest

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError, SpecError
from portmap_publish import FilePublisher


def publisher(path: Path) -> FilePublisher:
    return FilePublisher.from_argument(str(path))


def test_it_holds_each_external_port_on_a_line(tmp_path: Path, state: Endpoints) -> None:
    publisher(tmp_path / "port").converge(state)
    assert (tmp_path / "port").read_text() == "8080\n53\n"


def test_a_port_for_both_protocols_stands_there_once(tmp_path: Path, state: Endpoints) -> None:
    publisher(tmp_path / "port").converge(Endpoints(state.ports[:1] * 2))
    assert (tmp_path / "port").read_text() == "8080\n"


def test_with_nothing_open_it_is_empty_but_there(tmp_path: Path, state: Endpoints) -> None:
    writing = publisher(tmp_path / "port")
    writing.converge(state)
    writing.converge(Endpoints())
    assert (tmp_path / "port").read_bytes() == b""


def test_a_json_file_holds_all_of_it(tmp_path: Path, state: Endpoints) -> None:
    publisher(tmp_path / "state.JSON").converge(state)
    assert json.loads((tmp_path / "state.JSON").read_text()) == state.to_dict()


def test_nothing_else_is_left_in_the_folder(tmp_path: Path, state: Endpoints) -> None:
    publisher(tmp_path / "port").converge(state)
    assert list(tmp_path.iterdir()) == [tmp_path / "port"]


def test_a_reader_keeps_the_state_that_it_opened(tmp_path: Path, state: Endpoints) -> None:
    writing = publisher(tmp_path / "port")
    writing.converge(state)
    with (tmp_path / "port").open() as reader:
        writing.converge(Endpoints())
        assert reader.read() == "8080\n53\n"


def test_what_holds_is_left_alone_and_what_was_spoilt_is_mended(tmp_path: Path, state: Endpoints) -> None:
    writing, file = publisher(tmp_path / "port"), tmp_path / "port"
    writing.converge(state)
    before = file.stat()
    writing.converge(state)
    after = file.stat()  # the time of the last look at it may be another one
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (before.st_ino, before.st_mtime_ns, before.st_mode)
    file.write_text("1\n")
    writing.converge(state)
    assert file.read_text() == "8080\n53\n"


def test_others_may_read_it_as_far_as_the_umask_lets_them(tmp_path: Path, state: Endpoints) -> None:
    before = os.umask(0o027)
    try:
        publisher(tmp_path / "port").converge(state)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "port").stat().st_mode) == 0o640


def test_a_link_still_points_there(tmp_path: Path, state: Endpoints) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "port")
    publisher(tmp_path / "link").converge(state)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "port").read_text() == "8080\n53\n"


def test_the_file_is_found_after_a_change_of_the_working_directory(
    tmp_path: Path, state: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    writing = FilePublisher.from_argument("port")
    monkeypatch.chdir("/")
    writing.converge(state)
    assert (tmp_path / "port").exists()


def test_a_folder_that_is_not_there_is_an_error_until_it_is(tmp_path: Path, state: Endpoints) -> None:
    writing = publisher(tmp_path / "run" / "port")
    with pytest.raises(PortmapError, match="No such file or directory; make the folder first"):
        writing.converge(state)
    (tmp_path / "run").mkdir()
    writing.converge(state)
    assert (tmp_path / "run" / "port").exists()


as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can make another user's file")
OTHER_USER = 65534  # the user nobody of Linux


@as_root
def test_a_file_behind_a_link_of_another_user_is_not_written(tmp_path: Path, state: Endpoints) -> None:
    writing = publisher(tmp_path / "port")
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "port").symlink_to(tmp_path / "theirs")
    os.lchown(tmp_path / "port", OTHER_USER, OTHER_USER)
    with pytest.raises(PortmapError, match="is a symbolic link of another user"):
        writing.converge(state)
    assert (tmp_path / "theirs").read_text() == "precious"
    with pytest.raises(SpecError, match="is a symbolic link of another user"):
        publisher(tmp_path / "port")


@as_root
def test_a_file_of_another_user_is_not_replaced(tmp_path: Path, state: Endpoints) -> None:
    (tmp_path / "port").write_text("precious")
    os.chown(tmp_path / "port", OTHER_USER, OTHER_USER)
    with pytest.raises(PortmapError, match="it belongs to another user"):
        publisher(tmp_path / "port").converge(state)
    assert (tmp_path / "port").read_text() == "precious"


@pytest.mark.parametrize("argument", ["https://me:word@h/x", "http://h"])
def test_a_url_is_no_file_and_is_not_repeated(argument: str) -> None:
    with pytest.raises(SpecError, match="this is a URL: write file:PATH") as caught:
        FilePublisher.from_argument(argument)
    assert "word" not in str(caught.value)


@pytest.mark.parametrize("argument", [None, "", "a\0b", "a\nb"])
def test_what_can_be_no_file_is_the_users_mistake(argument: str | None) -> None:
    with pytest.raises(SpecError, match="write file:PATH"):
        FilePublisher.from_argument(argument)


@pytest.mark.parametrize("argument", ["/dev/null", "/"])
def test_nothing_but_a_file_is_ever_replaced(argument: str) -> None:
    with pytest.raises(SpecError, match="is not a file"):
        FilePublisher.from_argument(argument)


def test_what_became_a_pipe_meanwhile_is_not_replaced_either(tmp_path: Path, state: Endpoints) -> None:
    writing = publisher(tmp_path / "port")
    os.mkfifo(tmp_path / "port")
    with pytest.raises(PortmapError, match="is not a file"):
        writing.converge(state)
