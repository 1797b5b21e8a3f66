"""A session holds a port that `portmap open` has left open: at the end it is still open, for as long as before."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.opened_ports import close

import portmap
from portmap.cli.commands.open import open_ports
from portmap.events import PortRemoved
from portmap.model import Key, Protocol
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.journal_reader import read_journals
from portmap.storage.journal_store import JournalStore
from portmap.testing import Quirks, Router, loopback_address

HOUR = 3600
TCP = Key(Protocol.TCP, 8443)
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), quirks=Quirks()) as simulated:
        yield simulated


def spec(protocol: str, router: Router) -> str:
    return f"upnp:{router.description_url}" if protocol == "upnp" else f"{protocol}:{router.address}"


def open_for_an_hour(nat: str, folder: Path) -> None:
    assert open_ports(nat, ["4443:8443"], HOUR, folder, ipv6=False) == 0


def hold(nat: str, folder: Path, *mappings: str) -> list[PortRemoved]:
    """Hold the ports for a moment; how they were let go of."""
    with portmap.open(nat, mappings, state=folder, ipv6=False) as session:
        session.wait(10)
    return [event for event in session.events() if isinstance(event, PortRemoved)]


def leases(router: Router) -> list[tuple[int, bool]]:
    """The external ports, and whether the lease is about that of an hour."""
    return [(entry.external_port, HOUR - 60 < entry.lifetime <= HOUR) for entry in router.entries]


def noted_as_held(folder: Path) -> list[int]:
    """The internal ports that the journals of sessions say are open."""
    entries = [entry for it in read_journals(folder) for entry in it.open_entries(time.time())]
    return sorted(entry.internal_port for entry in entries)


@pytest.mark.parametrize("protocol", ["pmp", "pcp", "upnp"])
def test_it_is_left_with_the_time_that_it_had(router: Router, tmp_path: Path, protocol: str) -> None:
    nat = spec(protocol, router)
    open_for_an_hour(nat, tmp_path)
    (removed,) = hold(nat, tmp_path, "4443:8443")
    assert leases(router) == [(4443, True)]
    assert removed.reason.startswith("left open for 59m") or removed.reason.startswith("left open for 1h")
    assert removed.reason.endswith(", as 'portmap open' had left it")
    assert close(tmp_path, "8443") == 0
    assert router.entries == ()


def test_another_protocol_of_the_gateway_leaves_it_as_well(router: Router, tmp_path: Path) -> None:
    open_for_an_hour(spec("pmp", router), tmp_path)
    hold(spec("upnp", router), tmp_path, "4443:8443")
    assert leases(router) == [(4443, True)]


def test_a_port_that_is_removed_from_a_session_is_left_as_well(
    router: Router, tmp_path: Path, eventually: Eventually
) -> None:
    nat = spec("pmp", router)
    open_for_an_hour(nat, tmp_path)
    with portmap.open(nat, ["4443:8443", "8080"], state=tmp_path, ipv6=False) as session:
        session.wait(10)
        session.remove(TCP)
        eventually(lambda: leases(router)[0] == (4443, True))
        assert portmap.load(nat).other_holder(TCP) is None  # no other portmap leaves it to this one


def test_what_was_closed_meanwhile_is_the_sessions_own(router: Router, tmp_path: Path) -> None:
    nat = spec("pmp", router)
    open_for_an_hour(nat, tmp_path)
    with portmap.open(nat, ["4443:8443"], state=tmp_path, ipv6=False) as session:
        session.wait(10)
        assert close(tmp_path, "8443") == 0
        assert [entry.external_port for entry in router.entries] == [4443]
    assert router.entries == ()


def test_at_another_external_port_it_is_the_sessions_own(router: Router, tmp_path: Path) -> None:
    nat = spec("upnp", router)
    open_for_an_hour(nat, tmp_path)
    hold(nat, tmp_path, "4444:8443")
    assert leases(router) == [(4443, True)]


def test_a_session_that_was_killed_left_nothing_to_delete_there(
    router: Router, tmp_path: Path, eventually: Eventually
) -> None:
    nat = spec("pmp", router)
    open_for_an_hour(nat, tmp_path)
    killed = JournalStore(tmp_path)
    killed.save(Journal((JournalEntry(f"NAT-PMP {router.address}", *TCP[:2], 4443, expires=None),)))
    killed.close()
    with portmap.open(nat, ["8080"], state=tmp_path, ipv6=False) as session:
        session.wait(10)
        eventually(lambda: noted_as_held(tmp_path) == [8080])
        assert [entry.external_port for entry in router.entries] == [4443, 8080]
