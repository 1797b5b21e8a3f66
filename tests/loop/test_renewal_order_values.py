"""Which of TCP and UDP is asked for first. Pure."""

from dataclasses import replace

from tests.loop.rule_order import LEASE, PORT, TCP, UDP

from portmap.loop import renewal_order
from portmap.loop.lease import Lease
from portmap.loop.lease_parts import Held
from portmap.model import Grant, PortRequest

NEW = Lease.of(PortRequest(TCP, PORT), 0.0)
OTHER = Lease.of(PortRequest(UDP, PORT), 0.0)


def opened(lease: Lease, turn: int) -> Lease:
    return lease.granted(Grant(PORT, LEASE), None, 0.0, 0.0).with_open_order(turn)


def test_two_leases_that_were_never_asked_for_do_not_wait() -> None:
    assert not renewal_order.must_wait_for(NEW, OTHER)
    assert not renewal_order.must_wait_for(OTHER, NEW)


def test_the_one_that_was_opened_later_waits() -> None:
    first, second = opened(NEW, 1), opened(OTHER, 2)
    assert (renewal_order.must_wait_for(second, first), renewal_order.must_wait_for(first, second)) == (True, False)


def test_what_is_open_goes_before_what_is_not() -> None:
    assert renewal_order.was_opened_first(opened(NEW, 2), opened(OTHER, 1).lost())


def test_a_companion_that_was_asked_for_need_not_wait() -> None:
    assert not renewal_order.must_wait_for(opened(OTHER, 2).follow_companion(5.0), opened(NEW, 1))


def test_what_needs_nothing_neither_makes_others_wait_nor_suffer() -> None:
    static = replace(opened(NEW, 1), at_gateway=Held(8080, static=True))
    assert not renewal_order.must_wait_for(opened(OTHER, 2), static)
    assert not renewal_order.may_be_shut_by(opened(OTHER, 2), static)
