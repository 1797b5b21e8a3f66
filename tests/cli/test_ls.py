"""`portmap ls`: the gateway's own table, whose is ours, and what is remembered where a gateway cannot tell."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portmap.backends.load import load
from portmap.cli.commands.ls import print_gateway_table
from portmap.cli.commands.open import open_ports
from portmap.cli.state_folder import default_state_folder
from portmap.errors import NoGateway, SpecError
from portmap.model import Protocol
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_store import JournalStore
from portmap.testing import Router, loopback_address


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address()) as simulated:
        yield simulated


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], spec: str, *, mine: bool = False) -> Any:
    print_gateway_table(spec, default_state_folder(), mine=mine, as_json=True)
    return json.loads(capsys.readouterr().out)


def test_the_table_is_aligned_and_says_whose_is_ours(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    load(f"upnp:{router.description_url}").add_mapping(Protocol.TCP, 0, 4001, "web", 600)
    load(f"pmp:{router.address}").add_mapping(Protocol.UDP, 0, 4002, "", 7200)
    print_gateway_table(f"upnp:{router.description_url}", default_state_folder(), mine=False, as_json=False)
    heads, ours, theirs = capsys.readouterr().out.splitlines()
    assert heads.split() == ["PROTO", "EXT", "CLIENT", "INT", "LEASE", "DESCRIPTION", "OURS"]
    assert ours.split()[:5] == ["TCP", "4001", "127.0.0.1", "4001", "10m"]
    assert (ours.split()[-1], theirs.split()[-1]) == ("yes", "-")
    assert heads.index("OURS") == ours.index("yes")


def test_mine_are_ours_alone(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    load(f"upnp:{router.description_url}").add_mapping(Protocol.TCP, 0, 4001, "web", 600)
    load(f"pmp:{router.address}").add_mapping(Protocol.UDP, 0, 4002, "", 7200)
    (row,) = told(capsys, f"upnp:{router.description_url}", mine=True)["mappings"]
    assert (row["external_port"], row["ours"]) == (4001, True)


def test_what_we_made_by_nat_pmp_is_ours_at_a_gateway_that_is_not_the_default_one(
    router: Router, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_ports(f"pmp:{router.address}", ["8080"], 600, folder, ipv6=False)
    load(f"pmp:{router.address}").add_mapping(Protocol.UDP, 0, 4002, "", 7200)
    capsys.readouterr()
    (row,) = told(capsys, f"upnp:{router.description_url}", mine=True)["mappings"]
    assert (row["external_port"], row["ours"]) == (8080, True)


def test_of_several_gateways_the_one_that_can_tell_tells(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    load(f"pmp:{router.address}").add_mapping(Protocol.UDP, 0, 4002, "", 7200)
    shown = told(capsys, f"any:pmp:{router.address},upnp:{router.description_url}")
    assert shown["complete"]
    assert [row["external_port"] for row in shown["mappings"]] == [4002]


def test_an_empty_table_prints_nothing_on_stdout(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    print_gateway_table(f"upnp:{router.description_url}", default_state_folder(), mine=False, as_json=False)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "lists no mapping" in printed.err


def test_where_the_gateway_cannot_tell_what_is_remembered_is_shown(
    router: Router, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = JournalStore(folder)
    state.save(Journal((JournalEntry("NAT-PMP 192.168.1.1", Protocol.TCP, 4001, 4002),)))
    print_gateway_table(f"pmp:{router.address}", default_state_folder(), mine=False, as_json=False)
    state.close()
    printed = capsys.readouterr()
    assert "cannot list its mappings" in printed.err
    assert printed.out.splitlines()[1].split()[:6] == ["TCP", "4002", "this", "host", "4001", "permanent"]


def test_where_nothing_is_remembered_either_that_is_said_and_not_that_the_gateway_has_none(
    router: Router, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_gateway_table(f"pmp:{router.address}", folder, mine=True, as_json=False)
    said = f"NAT-PMP {router.address} cannot list its mappings, and portmap remembers none of ours"
    assert capsys.readouterr() == ("", f"portmap: {said}\n")


def test_no_gateway_is_an_error_of_its_own(router: Router) -> None:
    address = router.address
    router.close()
    with pytest.raises(NoGateway):
        print_gateway_table(f"pmp:{address}", default_state_folder(), mine=False, as_json=False)


@pytest.mark.parametrize("spec", ["none", "nonsense", "pmp:x", "any:x"])
def test_a_mistake_of_the_users_is_told(spec: str) -> None:
    with pytest.raises(SpecError):
        print_gateway_table(spec, default_state_folder(), mine=False, as_json=False)
