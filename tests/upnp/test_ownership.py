import re
from pathlib import Path

import pytest

from portmap_upnp.mapping.ownership import entry_description, host_id, made_by_host, made_by_us


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("", "portmap:c0ffee:30303"),
        ("my node", "portmap:c0ffee:my node"),
        ("</NewPortMappingDescription>", "portmap:c0ffee:--NewPortMappingD"),
        ("caf\u00e9 \u2603\n", "portmap:c0ffee:caf- --"),
        ("x" * 99, "portmap:c0ffee:" + "x" * 17),
        ("&<>\"'", "portmap:c0ffee:-----"),
        ("   ", "portmap:c0ffee:30303"),
    ],
)
def test_the_description_is_ours_short_and_plain(name: str, description: str) -> None:
    assert entry_description(name, 30303, "c0ffee") == description


def test_the_id_of_this_host_is_the_same_every_time_and_short() -> None:
    assert host_id() == host_id()
    assert re.fullmatch("[0-9a-f]{6}", host_id())


def test_the_id_differs_with_the_machine_and_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("0123456789abcdef\n")
    (tmp_path / "two").write_text("fedcba9876543210\n")
    files = [[tmp_path / "one"], [tmp_path / "none", tmp_path / "two"], [tmp_path / "none"]]
    assert len({host_id(which, lambda name=name: name) for which in files for name in ("a", "b")}) == 6  # type: ignore[misc]


def test_the_id_does_not_tell_the_machine_id(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("0123456789abcdef\n")
    assert host_id([tmp_path / "one"], lambda: "a") not in "0123456789abcdef"


def test_whose_an_entry_is_stands_in_its_description() -> None:
    assert made_by_host("portmap:c0ffee:x", "c0ffee")
    assert not made_by_host("portmap:c0ffee2:x", "c0ffee")
    assert made_by_us("portmap:bad0d0:x")  # where it leads to this host
    assert made_by_us("")
    assert not made_by_us("geth")
