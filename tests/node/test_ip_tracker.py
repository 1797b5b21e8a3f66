"""Ring 1: the votes of peers. The first five are go-ethereum's TestIPTracker and TestIPTrackerForceGC."""

from ipaddress import IPv4Address, IPv6Address

from portmap.node.ip_tracker import IPTracker, ObservedEndpoint

US = ObservedEndpoint(IPv4Address("203.0.113.7"), 30303)
ELSEWHERE = ObservedEndpoint(IPv4Address("203.0.113.8"), 30303)
WINDOW = 10_000


def host(number: int) -> IPv4Address:
    return IPv4Address("198.51.100.0") + number


def tracker(min_statements: int = 3) -> IPTracker:
    return IPTracker(min_statements, window=WINDOW, contact_window=2 * WINDOW)


def said(*endpoints: ObservedEndpoint, now: int = 0) -> IPTracker:
    track = tracker()
    for number, endpoint in enumerate(endpoints):
        track.statement(host(number), endpoint, now)
    return track


def test_too_few_statements_predict_nothing() -> None:
    assert said(US, US).predict(0) is None


def test_enough_statements_predict_the_endpoint() -> None:
    assert said(US, US, US).predict(0) == US


def test_a_statement_counts_up_to_the_very_end_of_its_window_and_no_longer() -> None:
    assert said(US, US, US).predict(WINDOW) == US
    assert said(US, US, US).predict(WINDOW + 1) is None


def test_new_statements_revive_the_prediction() -> None:
    track = said(US, US, US)
    assert track.predict(WINDOW + 1) is None
    for number in range(3):
        track.statement(host(number), US, WINDOW + 1)
    assert track.predict(WINDOW + 1) == US


def test_memory_is_bounded_without_a_reader() -> None:
    track = tracker()
    for now in range(0, 5 * WINDOW, 10):
        track.statement(host(now), US, now)
        track.contact(host(now), now)
    assert len(track) <= 2 * (WINDOW + 2 * WINDOW) // 10


def test_a_host_has_one_vote_however_often_it_speaks() -> None:
    track = tracker()
    for now in range(50):
        track.statement(host(1), US, now)
    assert track.predict(50) is None


def test_only_the_latest_word_of_a_host_counts() -> None:
    track = said(US, US, US)
    track.statement(host(0), ELSEWHERE, 1)
    assert track.predict(1) is None


def test_the_majority_wins() -> None:
    assert said(ELSEWHERE, ELSEWHERE, ELSEWHERE, US, US, US, US).predict(0) == US


def test_among_equals_the_endpoint_named_first_wins() -> None:
    assert said(US, ELSEWHERE, ELSEWHERE, US, US, ELSEWHERE).predict(0) == US


def test_another_port_is_another_endpoint() -> None:
    assert said(US, US, US._replace(port=1)).predict(0) is None


def test_ten_statements_within_five_minutes_are_the_rule() -> None:
    track = IPTracker()
    for number in range(10):
        assert track.predict(0) is None
        track.statement(host(number), US, 0)
    assert track.predict(5 * 60 * 1000) == US
    assert track.predict(5 * 60 * 1000 + 1) is None


def test_a_nat_is_no_full_cone_while_only_contacted_hosts_speak() -> None:
    track = tracker()
    for number in range(3):
        track.contact(host(number), 0)
        track.statement(host(number), US, 1)
    assert not track.full_cone(1)


def test_a_host_that_spoke_before_we_contacted_it_shows_a_full_cone() -> None:
    track = tracker()
    track.statement(host(1), US, 0)
    track.contact(host(1), 1)
    assert track.full_cone(1)


def test_a_host_that_we_never_contacted_shows_a_full_cone() -> None:
    track = tracker()
    track.statement(IPv6Address("2001:db8::1"), US, 0)
    assert track.full_cone(0)


def test_a_contact_is_forgotten_after_its_own_window() -> None:
    track = tracker()
    track.contact(host(1), 0)
    track.statement(host(1), US, 2 * WINDOW)
    assert not track.full_cone(2 * WINDOW)
    assert track.full_cone(2 * WINDOW + 1)
