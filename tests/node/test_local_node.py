"""LocalNode: sequence numbers, and entries of the owner's own. Rows with a name are go-ethereum's (p2p/enode)."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.node.nodes import DISC, P2P, PUBLIC, PUBLIC_6, START, Clock, added, at, changed, hear, shown

from portmap.errors import SpecError
from portmap.events import PortAdded
from portmap.model import PortRequest, Protocol
from portmap.node.local_node import LocalNode, Record, Value, unix_ms

# Sequence numbers.


def test_a_new_node_is_empty_and_numbered_by_the_clock(node: LocalNode) -> None:
    assert node.record == Record(START)
    assert node.commit() is None


def test_without_a_clock_of_its_own_a_node_takes_the_walls() -> None:
    before = unix_ms()
    assert before <= LocalNode().record.seq <= unix_ms()


def test_the_next_record_of_an_earlier_life_continues_its_numbers(clock: Clock) -> None:
    node = LocalNode(clock, seq=7)
    node.set("x", 3)
    assert node.commit() == Record(8, (("x", 3),))


def test_any_number_of_changes_between_two_commits_are_one_new_record(started: LocalNode) -> None:
    seq = started.record.seq
    hear(started, at(PUBLIC), added(P2P, 40001), added(DISC, 40002))
    assert started.record.seq == seq + 1


def test_saying_the_same_again_raises_no_number(started: LocalNode) -> None:
    hear(started, at(PUBLIC), added(P2P, 40001))
    record = started.record
    hear(started, at(PUBLIC), added(P2P, 40001), changed(P2P, 40001))
    assert started.record is record


def test_a_change_that_is_taken_back_before_the_commit_raises_no_number(started: LocalNode) -> None:
    started.set_static_ip(PUBLIC)
    started.set_static_ip(None)
    assert started.commit() is None


def test_commit_answers_with_the_new_record_once(node: LocalNode) -> None:
    node.set("x", 3)
    assert node.commit() is node.record
    assert node.commit() is None


def test_what_is_not_committed_is_not_in_the_record(node: LocalNode) -> None:
    node.set("x", 3)
    assert node.record.get("x") is None


def test_a_snapshot_never_changes(node: LocalNode) -> None:
    node.set("x", 3)
    snapshot = node.commit()
    node.set("x", 4)
    node.commit()
    assert snapshot == Record(START + 1, (("x", 3),))
    with pytest.raises(FrozenInstanceError):
        snapshot.seq = 9  # type: ignore[misc]  # that is the point


@given(st.lists(st.sampled_from(["set", "delete", "commit"]), max_size=30), st.data())
def test_the_number_rises_by_one_with_every_record_that_differs(steps: list[str], data: st.DataObject) -> None:
    node = LocalNode(Clock())
    for step in steps:
        before = node.record
        if step == "commit":
            node.commit()
        elif step == "set":
            node.set("x", data.draw(st.integers(0, 2)))
        else:
            node.delete("x")
        assert node.record.seq - before.seq == (node.record.entries != before.entries)


# Entries of the owner's own.


def test_entries_are_sorted_by_key(node: LocalNode) -> None:
    for key in ("udp", "snap", "eth", "tcp"):
        node.set(key, 1)
    assert list(shown(node)) == ["eth", "snap", "tcp", "udp"]


def test_a_deleted_entry_is_gone(node: LocalNode) -> None:
    node.set("x", 3)
    node.commit()
    node.delete("x")
    assert shown(node) == {}


def test_deleting_what_is_not_there_changes_nothing(node: LocalNode) -> None:
    node.delete("x")
    assert node.commit() is None


def test_a_pinned_port_outranks_every_mapping_until_it_is_unpinned(started: LocalNode) -> None:
    started.set("tcp", 443)
    assert hear(started, at(PUBLIC), added(P2P, 40001))["tcp"] == 443
    started.delete("tcp")
    assert shown(started)["tcp"] == 40001


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tcp", 0),
        ("udp", 65536),
        ("udp6", -1),
        ("tcp6", "30303"),
        ("tcp", True),
        ("ip", PUBLIC_6),
        ("ip6", PUBLIC),
        ("ip", b"\x01\x02\x03\x04"),
        ("x", -1),
        ("x", True),
        ("x", (1, (-1,))),
    ],
)
def test_what_an_entry_cannot_mean_is_the_users_error(node: LocalNode, key: str, value: Value) -> None:
    with pytest.raises(SpecError, match=rf"record entry '{key}' cannot be"):
        node.set(key, value)
    assert node.commit() is None


def test_the_record_knows_its_well_known_entries() -> None:
    record = Record(
        1, (("ip", PUBLIC), ("ip6", PUBLIC_6), ("tcp", 1), ("tcp6", 2), ("udp", 3), ("udp6", 4), ("x", b""))
    )
    assert (record.ip, record.ip6) == (PUBLIC, PUBLIC_6)
    assert (record.tcp, record.tcp6, record.udp, record.udp6) == (1, 2, 3, 4)
    assert record.get("x") == b""


def test_an_empty_record_has_none_of_them() -> None:
    record = Record(1)
    assert {record.ip, record.ip6, record.tcp, record.tcp6, record.udp, record.udp6} == {None}


def test_the_ports_of_another_host_are_none_of_the_nodes(node: LocalNode) -> None:
    node.expect_port(PortRequest(Protocol.TCP, 8080, host="192.168.1.50"))
    node.apply(PortAdded(protocol=Protocol.TCP, internal_port=8080, external_port=80, external_ip=PUBLIC, host="nas"))
    assert shown(node) == {}
