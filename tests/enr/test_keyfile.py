"""Ring 1: the key file, on a real file system."""

import logging
import os
import stat
from pathlib import Path

import pytest

from portmap.errors import SpecError
from portmap_enr.keyfile import ORDER, read_or_create

posix = pytest.mark.skipif(os.name != "posix", reason="the file modes are POSIX's")
as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can make another user's file")
OTHER_USER = 65534  # the user nobody of Linux


def written(path: Path, data: bytes, mode: int = 0o600) -> str:
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


def test_a_missing_file_is_made_and_read_back(tmp_path: Path) -> None:
    name = str(tmp_path / "key")
    assert read_or_create(name) == read_or_create(name)


def test_a_new_file_has_64_hex_digits_and_a_newline(tmp_path: Path) -> None:
    secret = read_or_create(str(tmp_path / "key"))
    assert (tmp_path / "key").read_text() == f"{secret:064x}\n"


def test_two_new_files_hold_two_keys(tmp_path: Path) -> None:
    assert read_or_create(str(tmp_path / "one")) != read_or_create(str(tmp_path / "two"))


@posix
def test_a_new_file_is_for_its_owner_only(tmp_path: Path) -> None:
    read_or_create(str(tmp_path / "key"))
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_a_key_file_of_geth_is_read_and_left_as_it_is(tmp_path: Path) -> None:
    """go-ethereum's SaveECDSA writes no newline."""
    name = written(tmp_path / "nodekey", b"%064x" % 7)
    assert read_or_create(name) == 7
    assert Path(name).read_bytes() == b"%064x" % 7


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"])
def test_the_line_may_end_as_lines_do(tmp_path: Path, end: bytes) -> None:
    assert read_or_create(written(tmp_path / "key", b"0" * 62 + b"aB" + end)) == 0xAB


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"1" * 63,
        b"1" * 65,
        b"0x" + b"1" * 64,
        b"1" * 64 + b"\n\n",
        b" " + b"1" * 64,
        b"g" + b"1" * 63,
        bytes(32),
        b"\xff" * 64,
        b"-----BEGIN EC PRIVATE KEY-----\n" * 100,
    ],
)
def test_what_is_not_64_hex_digits_is_the_users_error(tmp_path: Path, data: bytes) -> None:
    name = written(tmp_path / "key", data)
    with pytest.raises(SpecError, match="does not hold 64 hex digits") as caught:
        read_or_create(name)
    assert name in str(caught.value)


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_a_number_that_is_no_key_is_the_users_error(tmp_path: Path, number: int) -> None:
    with pytest.raises(SpecError, match="no secp256k1 key"):
        read_or_create(written(tmp_path / "key", b"%064x" % number))


def test_no_error_shows_what_is_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_or_create(written(tmp_path / "key", b"c0ffee" * 11))
    assert "c0ffee" not in str(caught.value)


def test_a_bad_file_is_left_as_it_is(tmp_path: Path) -> None:
    name = written(tmp_path / "key", b"precious")
    with pytest.raises(SpecError):
        read_or_create(name)
    assert Path(name).read_bytes() == b"precious"


def test_a_folder_is_no_key_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is not a file: name a file, or a new one"):
        read_or_create(str(tmp_path))


@posix
def test_a_pipe_is_no_key_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError, match="is not a file"):
        read_or_create(str(tmp_path / "pipe"))


def test_in_a_folder_that_is_not_there_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no folder .*absent: make it first"):
        read_or_create(str(tmp_path / "absent" / "key"))
    assert not (tmp_path / "absent").exists()


@posix
def test_a_key_is_not_made_through_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(SpecError):
        read_or_create(str(tmp_path / "link"))
    assert not (tmp_path / "target").exists()


@posix
@pytest.mark.parametrize("name", ["loop", "x" * 300, "file/key"])
def test_a_file_that_the_system_will_not_read_is_the_users_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    with pytest.raises(SpecError, match=r"key file .*: name a file that can be read"):
        read_or_create(str(tmp_path / name))


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_we_may_not_read_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="Permission denied"):
        read_or_create(written(tmp_path / "key", b"1" * 64, mode=0))


@pytest.mark.parametrize("name", ["key\0", "~no-such-user/key"])
def test_a_name_that_cannot_be_is_the_users_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match=r"^key file "):
        read_or_create(name)


def test_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    read_or_create("~/key")
    assert (tmp_path / "key").exists()


def test_a_disk_that_is_full_leaves_no_half_key_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SpecError, match="No space left on device"):
        read_or_create(str(tmp_path / "key"))
    assert not (tmp_path / "key").exists()


@posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_is_used_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    assert read_or_create(written(tmp_path / "key", b"%064x" % 7, mode)) == 7
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "can be read by others: chmod 600" in caplog.text


@posix
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_key_that_others_can_change_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(SpecError, match="can be changed by others: chmod 600"):
        read_or_create(written(tmp_path / "key", b"%064x" % 7, mode))


@as_root
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    name = written(tmp_path / "key", b"%064x" % 7)
    os.chown(name, OTHER_USER, OTHER_USER)
    with pytest.raises(SpecError, match="belongs to another user: copy the key"):
        read_or_create(name)


@as_root
def test_a_key_behind_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "key", b"%064x" % 7)
    (tmp_path / "link").symlink_to(tmp_path / "key")
    os.lchown(tmp_path / "link", OTHER_USER, OTHER_USER)
    with pytest.raises(SpecError, match="is a symbolic link of another user"):
        read_or_create(str(tmp_path / "link"))


@as_root
def test_a_key_is_not_made_in_a_folder_behind_a_link_of_another_user(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    os.lchown(tmp_path / "link", OTHER_USER, OTHER_USER)
    with pytest.raises(SpecError, match="is a symbolic link of another user"):
        read_or_create(str(tmp_path / "link" / "key"))
    assert not list((tmp_path / "there").iterdir())


@posix
def test_a_key_behind_a_link_of_ours_is_read(tmp_path: Path) -> None:
    written(tmp_path / "key", b"%064x" % 7)
    (tmp_path / "link").symlink_to(tmp_path / "key")
    assert read_or_create(str(tmp_path / "link")) == 7


def test_a_key_of_our_own_making_earns_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_or_create(str(tmp_path / "key"))
    read_or_create(str(tmp_path / "key"))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
