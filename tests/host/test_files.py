"""Files are read and written with care: what another user puts in the way leads nowhere."""

import grp
import os
import pwd
import stat
from contextlib import nullcontext
from pathlib import Path

import pytest

from portmap.host import files
from portmap.host.files import (
    MAX_LINKS,
    check_folder,
    create_file,
    open_for_lock,
    open_for_writing,
    read_file,
    real_path,
    write_file,
)

OTHER_USER = 65534  # the user nobody of Linux
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def given_away(path: Path) -> Path:
    os.chown(path, OTHER_USER, OTHER_USER, follow_symlinks=False)
    return path


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    path = tmp_path / "precious"
    path.write_bytes(b"ours")
    return path


@as_root
def test_a_link_of_another_user_is_not_written_through(tmp_path: Path, precious: Path) -> None:
    link = tmp_path / "port"
    link.symlink_to(precious)
    given_away(link)
    with pytest.raises(PermissionError, match="symbolic link of another user"):
        write_file(link, b"theirs")
    assert precious.read_bytes() == b"ours"


@as_root
def test_a_folder_behind_a_link_of_another_user_is_not_written_to(tmp_path: Path, precious: Path) -> None:
    link = tmp_path / "folder"
    link.symlink_to(tmp_path, target_is_directory=True)
    given_away(link)
    with pytest.raises(PermissionError, match="symbolic link of another user"):
        write_file(link / precious.name, b"theirs")
    with pytest.raises(PermissionError, match="symbolic link of another user"):
        read_file(link / precious.name, 10)


@as_root
def test_a_file_of_another_user_is_not_replaced(tmp_path: Path) -> None:
    theirs = given_away(create(tmp_path / "theirs"))
    with pytest.raises(PermissionError, match="another user"):
        write_file(theirs, b"ours")


@pytest.mark.parametrize("step", [1, -1])
def test_a_file_of_a_user_with_any_other_number_is_not_replaced(
    precious: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    us = os.geteuid() + step
    monkeypatch.setattr(os, "geteuid", lambda: us)
    with pytest.raises(PermissionError, match="it belongs to another user"):
        write_file(precious, b"theirs")
    assert precious.read_bytes() == b"ours"


def test_a_folder_whose_group_has_no_name_will_not_do_where_that_can_write_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: int) -> grp.struct_group:
        raise KeyError

    tmp_path.chmod(0o770)
    monkeypatch.setattr(grp, "getgrgid", unknown)
    with pytest.raises(PermissionError, match="chmod 700"):
        check_folder(tmp_path)


def test_a_new_file_is_on_disk_when_it_is_made_unless_it_is_said_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write_file(tmp_path / "often", b"x")
    assert not synced
    create_file(tmp_path / "key", b"x")
    assert len(synced) == 1


def create(path: Path) -> Path:
    create_file(path, b"x")
    return path


def test_our_own_link_is_followed(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "link").symlink_to("precious")
    write_file(tmp_path / "link", b"new")
    assert precious.read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_a_chain_of_links_through_folders_is_followed(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "b").symlink_to("a/up", target_is_directory=True)
    assert real_path(tmp_path / "b" / "precious") == precious.resolve()
    assert real_path(tmp_path / "b" / "new" / "file") == tmp_path.resolve() / "new" / "file"


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="too many"):
        write_file(tmp_path / "a", b"")


@pytest.mark.parametrize(("links", "is_fine"), [(MAX_LINKS, True), (MAX_LINKS + 1, False)])
def test_a_chain_of_links_is_followed_as_far_as_the_system_follows_it(
    tmp_path: Path, precious: Path, links: int, is_fine: bool
) -> None:
    last = precious
    for number in range(links):
        (tmp_path / str(number)).symlink_to(last)
        last = tmp_path / str(number)
    with nullcontext() if is_fine else pytest.raises(OSError, match="too many"):
        assert read_file(last, 10) == b"ours"


@pytest.mark.timeout(10)
def test_a_pipe_is_neither_read_nor_written_nor_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for attempt in (lambda: read_file(pipe, 10), lambda: write_file(pipe, b"x"), lambda: open_for_lock(pipe)):
        with pytest.raises(OSError, match="not a regular file"):
            attempt()
    assert stat.S_ISFIFO(pipe.lstat().st_mode)


def test_a_link_that_takes_the_files_place_after_it_was_looked_at_is_not_followed(
    tmp_path: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchanged(path: Path) -> Path:
        path.unlink(missing_ok=True)
        path.symlink_to(precious)
        return path

    monkeypatch.setattr(files, "real_path", exchanged)
    for attempt in (lambda path: read_file(path, 10), open_for_lock, open_for_writing):
        with pytest.raises(OSError, match=r"symbolic links|regular file"):
            attempt(tmp_path / "file")
    assert precious.read_bytes() == b"ours"


def test_a_file_that_is_written_bit_by_bit_is_private_and_emptied_first(tmp_path: Path) -> None:
    for content in (b"longer", b"new"):
        with open_for_writing(tmp_path / "file") as file:
            file.write(content)
    assert (tmp_path / "file").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_file_that_has_a_second_name_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"ours")
    os.link(tmp_path / "precious", tmp_path / "capture")  # as another user can make it in /tmp: proc_sys_fs(5)
    with pytest.raises(OSError, match="another name, a hard link"):
        open_for_writing(tmp_path / "capture")
    assert (tmp_path / "precious").read_bytes() == b"ours"


@as_root
def test_a_file_that_another_user_made_in_the_last_moment_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_check_replaceable", lambda path: given_away(_made(path)))
    with pytest.raises(OSError, match="belongs to another user"):
        open_for_writing(tmp_path / "capture")


def _made(path: Path) -> Path:
    path.write_bytes(b"theirs")
    return path


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="not a regular file"):
        write_file(tmp_path / "folder", b"x")


def test_a_file_is_private_unless_said_otherwise(tmp_path: Path) -> None:
    write_file(tmp_path / "private", b"x")
    write_file(tmp_path / "public", b"x", 0o644)
    open_for_lock(tmp_path / "lock", create=True).close()
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("private", "public", "lock")] == [
        0o600,
        0o644,
        0o600,
    ]


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_file(tmp_path / "file", b"x", sync=True)
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_is_never_made_over_or_through_anything(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "link", b"x")
    assert not (tmp_path / "elsewhere").exists()


def test_more_than_the_limit_is_not_read(precious: Path) -> None:
    assert read_file(precious, 4) == b"ours"
    with pytest.raises(OSError, match="larger than 3 bytes"):
        read_file(precious, 3)


def test_a_folder_of_our_own_will_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    check_folder(tmp_path)


@pytest.mark.parametrize("mode", [0o777, 0o707, 0o1777])
def test_a_folder_that_everybody_can_write_to_will_not_do(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(PermissionError, match="chmod 700"):
        check_folder(tmp_path)


@as_root
def test_a_folder_that_another_group_can_write_to_will_not_do(tmp_path: Path) -> None:
    os.chown(tmp_path, -1, OTHER_USER)
    tmp_path.chmod(0o770)
    with pytest.raises(PermissionError, match="chmod 700"):
        check_folder(tmp_path)


@pytest.mark.parametrize(
    ("members", "is_fine"), [((), True), (("ourselves",), True), (("ourselves", "jane"), False)], ids=repr
)
def test_a_folder_that_our_own_group_can_write_to_will_do_while_that_has_no_other_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: tuple[str, ...], is_fine: bool
) -> None:
    tmp_path.chmod(0o770)
    us = pwd.struct_passwd(("ourselves", "x", os.geteuid(), tmp_path.stat().st_gid, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: us)
    monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group(("ourselves", "x", number, list(members))))
    with nullcontext() if is_fine else pytest.raises(PermissionError, match="chmod 700"):
        check_folder(tmp_path)


@as_root
def test_a_folder_of_another_user_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(PermissionError, match="another user"):
        check_folder(given_away(tmp_path))


def test_a_file_is_no_folder(precious: Path) -> None:
    with pytest.raises(NotADirectoryError):
        check_folder(precious)
