"""RateLimit: how often an address is served. Pure."""

from ipaddress import IPv4Address, IPv6Address

from portmap.reachability.responder.rate_limit import Places, RateLimit

CLIENT = IPv4Address("11.22.33.44")


def test_an_address_is_served_once_a_second() -> None:
    limit = RateLimit()
    assert [limit.allows(CLIENT, now) for now in (0.0, 0.5, 1.0, 1.9, 2.1)] == [True, False, True, False, True]


def test_one_address_does_not_delay_another() -> None:
    limit = RateLimit()
    assert limit.allows(CLIENT, 0)
    assert limit.allows(IPv4Address("11.22.33.45"), 0)


def test_the_addresses_of_one_ipv6_network_count_as_one() -> None:
    limit = RateLimit()
    assert limit.allows(IPv6Address("2001:db8::1"), 0)
    assert not limit.allows(IPv6Address("2001:db8::2"), 0)
    assert limit.allows(IPv6Address("2001:db8:0:1::1"), 0)


def test_a_full_table_refuses_and_forgets_no_address_too_early() -> None:
    limit = RateLimit(capacity=100)
    assert sum(limit.allows(IPv4Address(number), 0) for number in range(1, 1000)) == 100
    assert limit.allows(CLIENT, 1)


def test_a_place_that_was_left_can_be_had_again() -> None:
    places = Places(2, 1)
    assert [places.take(CLIENT), places.take(CLIENT)] == [True, False]
    places.leave(CLIENT)
    assert places.take(CLIENT)
    assert places.take(IPv4Address("11.22.33.45"))
    assert not places.take(IPv4Address("11.22.33.46"))
