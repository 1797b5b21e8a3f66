"""Killed without a word: the next session takes over what is wanted, and deletes what is not."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import HOST, Lab
from tests.lab.router import Entry

from portmap.storage.journal import Journal, from_text, to_text

SPECS = ("pmp", "pcp", "upnp", "any")


def _kill(portmap: Portmap) -> None:
    portmap.process.kill()  # at once: what is told is in the journal
    portmap.process.wait(5)


def _killed_when_granted(lab: Lab, spec: str, state: Path) -> int:
    """The external port that a session had, which wanted 4001 and is killed."""
    with Portmap(lab.lan, "--nat", spec, "4001", state=state) as portmap:
        portmap.wait_for("mapping.added")
        _kill(portmap)
        return portmap.port()


def _killed_while_holding(lab: Lab, spec: str, state: Path, *mappings: str) -> list[Entry]:
    """What the router is left with by a session that is killed."""
    with Portmap(lab.lan, "--nat", spec, *mappings, state=state) as portmap:
        for mapping in mappings:
            portmap.wait_for("mapping.added", internal_port=int(mapping.rpartition(":")[2]))
        _kill(portmap)
    left = lab.router.mappings()
    assert len(left) == len(mappings)
    return left


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_external_port_is_had_again_though_the_router_has_forgotten_it(
    lab: Lab, tmp_path: Path, spec: str
) -> None:
    lab.serve(4001)
    lab.neighbour.run(["natpmpc", "-a", "4001", "4001", "tcp", "3600"])
    port = _killed_when_granted(lab, spec, tmp_path)
    assert port != 4001
    lab.router.reboot()  # and now 4001 would be free
    with Portmap(lab.lan, "--nat", spec, "4001", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", external_port=port)
        assert lab.bytes_arrive("TCP", port)


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_no_longer_wanted_is_deleted_by_the_next_start(lab: Lab, tmp_path: Path, spec: str) -> None:
    lab.serve(4002)
    _killed_while_holding(lab, spec, tmp_path, "4001", "4080:4002")
    with Portmap(lab.lan, "--nat", spec, "4080:4002", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", internal_port=4002, external_port=4080)
        lab.router.wait_until_left(Entry("TCP", 4080, HOST, 4002))
        assert lab.bytes_arrive("TCP", 4080)


def test_a_permanent_mapping_of_a_killed_session_is_deleted_by_the_next_start(lab: Lab, tmp_path: Path) -> None:
    left = _killed_while_holding(lab, "upnp", tmp_path, "4001")
    _make_permanent(lab, tmp_path, _description(lab))
    assert lab.router.mappings() == left
    with Portmap(lab.lan, "--nat", "upnp", "4002", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", internal_port=4002)
        lab.router.wait_until_left(Entry("TCP", 4002, HOST, 4002))


def test_a_clean_end_leaves_nothing_to_delete(lab: Lab, tmp_path: Path) -> None:
    with Portmap(lab.lan, "--nat", "upnp", "4001", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added")
        portmap.stop()
    lab.lan.run(["upnpc", "-u", lab.router.description_url, "-e", "theirs", "-a", HOST, "4001", "4001", "tcp", "3600"])
    theirs = lab.router.mappings()
    with Portmap(lab.lan, "--nat", "upnp", "4002", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", internal_port=4002)
        time.sleep(0.5)
        portmap.stop()
    assert lab.router.mappings() == theirs


def _description(lab: Lab) -> str:
    listed = lab.lan.run(["upnpc", "-u", lab.router.description_url, "-l"])
    return next(line.split("'")[1] for line in listed.splitlines() if "4001->" in line)


def _make_permanent(lab: Lab, state: Path, description: str) -> None:
    """As on a router that knows no other mappings: in its table, and in the journal."""
    url = lab.router.description_url
    lab.lan.run(["upnpc", "-u", url, "-d", "4001", "tcp"])
    lab.lan.run(["upnpc", "-u", url, "-e", description, "-a", HOST, "4001", "4001", "tcp"])
    (file,) = state.glob("*.json")
    journal = from_text(file.read_text())
    file.write_text(to_text(Journal(tuple(replace(entry, expires=None) for entry in journal.entries))))
