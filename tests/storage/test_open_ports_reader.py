"""What a session knows of the ports that `portmap open` has left open, and that reading it disturbs nothing."""

from contextlib import closing
from pathlib import Path

import pytest

from portmap.model import MAX_LIFETIME, Key, Protocol
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_store import JournalStore
from portmap.storage.journal_writer import JournalWriter
from portmap.storage.open_ports import FOLDER, OpenPorts
from portmap.storage.open_ports_reader import OpenPortsReader

HERE = "NAT-PMP 192.168.1.1"
KEY = Key(Protocol.TCP, 8080)
NOW = 1000.0


def leave_open(folder: Path, *, expires: float | None = None, gateway: str = HERE, ipv6: bool = False) -> None:
    ports = OpenPorts(folder)
    ports.add(JournalEntry(gateway, *KEY[:2], 4443, expires, spec="pmp", ipv6=ipv6))
    ports.close()


def seconds_left(folder: Path, now: float = NOW) -> int | None:
    with closing(JournalStore(folder / "session")) as store:
        reader = OpenPortsReader(folder, ipv6=False)
        return JournalWriter(store, lambda: HERE, clock=lambda: now, open_ports=reader).seconds_left_open(
            KEY, 4443, None
        )


@pytest.mark.parametrize(
    ("expires", "left"),
    [(None, 0), (NOW + 60, 60), (NOW + 0.1, 1), (1e300, MAX_LIFETIME)],
    ids=["for good", "a minute", "a moment", "a damaged time"],
)
def test_the_time_that_is_left_is_one_that_a_gateway_can_be_asked_for(
    tmp_path: Path, expires: float | None, left: int
) -> None:
    with closing(JournalStore(tmp_path / FOLDER)) as store:
        store.save(Journal((JournalEntry(HERE, *KEY[:2], 4443, expires, spec="pmp"),)))
    assert seconds_left(tmp_path) == left


def test_what_is_over_at_another_gateway_or_a_pinhole_is_not_left_open(tmp_path: Path) -> None:
    leave_open(tmp_path, gateway="NAT-PMP 192.168.1.2")
    leave_open(tmp_path, ipv6=True)
    assert seconds_left(tmp_path) is None
    with closing(JournalStore(tmp_path / FOLDER)) as store:
        store.save(Journal((JournalEntry(HERE, *KEY[:2], 4443, NOW - 1, spec="pmp"),)))
    assert seconds_left(tmp_path) is None


def test_another_protocol_at_the_same_address_is_the_same_gateway(tmp_path: Path) -> None:
    leave_open(tmp_path, gateway="UPnP 192.168.1.1 (IGD:1)")
    assert seconds_left(tmp_path) == 0


def test_what_is_opened_and_closed_later_is_known_at_once(tmp_path: Path) -> None:
    reader = OpenPortsReader(tmp_path, ipv6=False)
    assert reader.entries_of(KEY, NOW) == ()
    leave_open(tmp_path)
    assert [entry.external_port for entry in reader.entries_of(KEY, NOW)] == [4443]
    with closing(OpenPorts(tmp_path)) as ports:
        ports.remove(ports.entries)
    assert reader.entries_of(KEY, NOW) == ()


def test_a_damaged_file_and_a_folder_that_is_none_are_nothing_to_know(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "1-0000000a.json").write_text("{")
    assert seconds_left(tmp_path) is None
    assert (tmp_path / FOLDER / "1-0000000a.json").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / FOLDER).write_text("")
    assert OpenPortsReader(other, ipv6=False).entries_of(KEY, NOW) == ()
