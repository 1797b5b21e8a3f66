import logging

from hypothesis import given
from hypothesis import strategies as st

from portmap.loop.lease import Lease
from portmap.loop.lease_table import LeaseTable
from portmap.model import Key, PortRequest, Protocol
from portmap.testing.clock import ScriptedInbox


def new_table() -> LeaseTable:
    """A table that is never asked to tell anything."""
    return LeaseTable(ScriptedInbox(end=0), lambda _: None, lambda: 0.0, logging.WARNING)


def lease(port: int, due: float) -> Lease:
    return Lease.of(PortRequest(Protocol.TCP, port), due)


def test_an_empty_table_has_no_lease_that_wakes_first() -> None:
    assert new_table().next_due() is None


def test_the_first_is_the_one_that_wakes_first() -> None:
    table = new_table()
    for port, due in ((1, 5.0), (2, 3.0), (3, 4.0)):
        table.put(lease(port, due))
    assert table.next_due() == lease(2, 3.0)


def test_of_two_that_wake_together_the_one_entered_first_is_first() -> None:
    table = new_table()
    table.put(lease(2, 1.0))
    table.put(lease(1, 1.0))
    assert table.next_due() == lease(2, 1.0)


def test_what_was_put_again_counts_as_it_is_now() -> None:
    table = new_table()
    table.put(lease(1, 1.0))
    table.put(lease(2, 2.0))
    table.put(lease(1, 3.0))
    assert table.next_due() == lease(2, 2.0)


def test_a_removed_lease_is_never_first() -> None:
    table = new_table()
    table.put(lease(1, 1.0))
    table.remove(Key(Protocol.TCP, 1))
    assert table.next_due() is None


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0, 100), st.booleans())))
def test_the_first_is_always_the_least(entries: list[tuple[int, float, bool]]) -> None:
    table, plain = new_table(), dict[int, Lease]()
    for port, due, keep in entries:
        if keep or port not in plain:
            plain[port] = lease(port, due)
            table.put(plain[port])
        else:
            del plain[port]
            table.remove(Key(Protocol.TCP, port))
        first = table.next_due()
        assert (first.wake_at if first else None) == min((each.wake_at for each in plain.values()), default=None)


def test_many_renewals_do_not_make_it_grow() -> None:
    table = new_table()
    for due in range(10_000):
        table.put(lease(1 + due % 10, float(due)))
    assert len(table._heap) < 200
