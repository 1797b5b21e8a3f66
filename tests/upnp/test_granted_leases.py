"""Which renewals need not be read back: those of a gateway that is known to extend leases."""

import pytest

from portmap.model import Protocol
from portmap_upnp.control.wan_connection import PortMappingEntry
from portmap_upnp.mapping.granted_leases import GrantedLeases
from portmap_upnp.mapping.table_reader import Reading

KEY = (Protocol.TCP, 30303)


def listed(lease: int, *, enabled: bool = True) -> Reading:
    return Reading(PortMappingEntry("192.168.1.5", 30303, "node", lease, enabled))


@pytest.fixture
def leases() -> GrantedLeases:
    """At a gateway that granted 600 s, and that extended a lease once."""
    leases = GrantedLeases()
    leases.note(KEY, 600, 600)
    leases.note_renewal(listed(290), listed(600))
    return leases


def test_a_yes_of_a_gateway_that_extends_leases_means_the_lifetime_granted_last(leases: GrantedLeases) -> None:
    leases.note(KEY, 600, 550)
    assert leases.last(KEY) == 550
    assert leases.known_renewal(KEY, listed(290), 600) == 550


def test_a_yes_means_nothing_as_long_as_no_renewal_was_seen_to_extend_a_lease() -> None:
    leases = GrantedLeases()
    leases.note(KEY, 600, 600)
    assert leases.known_renewal(KEY, listed(290), 600) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Reading(), listed(600)),
        (listed(290), Reading()),
        (listed(0), listed(600)),
        (listed(290), listed(290)),
        (listed(290), listed(280)),
    ],
    ids=["new", "not there", "permanent before", "as before", "run down"],
)
def test_only_a_lease_that_has_grown_shows_that_renewals_extend_leases(before: Reading, after: Reading) -> None:
    leases = GrantedLeases()
    leases.note(KEY, 600, 600)
    leases.note_renewal(before, after)
    assert leases.known_renewal(KEY, listed(290), 600) is None


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (Reading(), 600),
        (listed(290, enabled=False), 600),
        (listed(290), 900),
        (listed(200), 600),
        (listed(0), 600),
    ],
    ids=["no entry", "switched off", "another lifetime asked for", "under a third is left", "permanent"],
)
def test_what_is_not_as_after_the_last_renewal_is_to_be_read_back(
    leases: GrantedLeases, before: Reading, asked: int
) -> None:
    assert leases.known_renewal(KEY, before, asked) is None


def test_over_a_third_of_the_lease_that_is_left_shows_that_the_last_renewal_had_effect(leases: GrantedLeases) -> None:
    assert leases.known_renewal(KEY, listed(201), 600) == 600


def test_a_port_without_a_grant_is_to_be_read_back(leases: GrantedLeases) -> None:
    other = (Protocol.UDP, 30303)
    assert leases.last(other) == 0
    assert leases.known_renewal(other, listed(290), 0) is None


def test_of_a_gateway_that_is_found_anew_its_way_to_renew_is_not_known(leases: GrantedLeases) -> None:
    leases.learn_anew()
    assert leases.known_renewal(KEY, listed(290), 600) is None
    assert leases.last(KEY) == 600
