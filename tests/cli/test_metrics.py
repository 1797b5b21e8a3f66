"""`--metrics`: the numbers, and the page."""

import re
import threading
from ipaddress import IPv4Address
from math import inf

import pytest
from tests.cli.scraped import ADDED, TCP, Clock, page

from portmap.cli.hold.metrics import Metrics, serve_metrics
from portmap.cli.hold.metrics_totals import MetricTotals, PortLabels, SeriesLabels
from portmap.events import (
    Event,
    ExternalIPChanged,
    ExternalIPFailed,
    GatewayFound,
    GatewayLost,
    PortAdded,
    PortChanged,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
)
from portmap.model import Key, Protocol, Scope

RENEWED = PortRenewed(**TCP, external_port=80, lifetime=600, name="web")
FAILED = PortFailed(**TCP, reason="taken", error="Conflict")
LOST = PortLost(**TCP)
PORT = PortLabels("", "mapping", Key(Protocol.TCP, 8080))
MAPPINGS = SeriesLabels("", "mapping")


def tally(*story: tuple[float, Event]) -> MetricTotals:
    told = MetricTotals()
    for at, event in story:
        told.apply("", event, at)
    return told


# the numbers


def test_a_lease_runs_from_when_it_was_granted() -> None:
    assert tally((10, ADDED)).leases[PORT].until == 610
    assert tally((10, ADDED), (300, RENEWED)).leases[PORT].until == 900


def test_a_permanent_lease_never_ends() -> None:
    assert tally((10, PortAdded(**TCP, lifetime=0))).leases[PORT].until == inf


@pytest.mark.parametrize("event", [LOST, PortRemoved(**TCP)])
def test_what_is_lost_or_removed_is_not_up(event: Event) -> None:
    assert not tally((0, ADDED), (1, event)).leases


def test_a_failed_renewal_leaves_the_lease_running() -> None:
    assert tally((0, ADDED), (300, FAILED)).leases[PORT].until == 600


def test_renewals_are_counted() -> None:
    assert tally((0, ADDED), (300, RENEWED), (600, RENEWED)).renewals[MAPPINGS] == 2


def test_failures_are_counted_by_the_class_of_the_error() -> None:
    told = tally((0, FAILED), (1, FAILED), (2, GatewayLost(gateway="g", error="NoGateway")))
    assert told.failures == {(MAPPINGS, "Conflict"): 2, (SeriesLabels("", "gateway"), "NoGateway"): 1}


def test_a_failing_address_is_counted() -> None:
    event = ExternalIPFailed(external_ip=None, scope=Scope.UNKNOWN, error="Garbled")
    assert tally((0, event)).failures == {(SeriesLabels("", "address"), "Garbled"): 1}


def test_a_class_that_is_not_ours_makes_no_row_of_its_own() -> None:
    story = [(0.0, PortFailed(**TCP, error=f"Mine{number}")) for number in range(100)]
    assert tally(*story).failures == {(MAPPINGS, "other"): 100}


@pytest.mark.parametrize("well", [ADDED, RENEWED, PortChanged(**TCP, lifetime=600)])
def test_a_recovery_lasts_from_the_first_trouble_to_well_again(well: Event) -> None:
    recoveries = tally((0, ADDED), (300, FAILED), (600, LOST), (602.5, well)).recoveries[MAPPINGS]
    assert (sum(recoveries.counts), recoveries.seconds) == (1, 302.5)


def test_what_was_removed_in_trouble_never_recovers() -> None:
    told = tally((0, FAILED), (5, PortRemoved(**TCP)), (100, ADDED))
    assert sum(told.recoveries[MAPPINGS].counts) == 0


def test_pinholes_are_counted_apart() -> None:
    told = tally(
        (0, PortAdded(kind="pinhole", **TCP, lifetime=60)),
        (1, PortFailed(kind="pinhole", **TCP, error="NotAuthorized")),
    )
    assert told.leases.keys() == {PortLabels("", "pinhole", Key(Protocol.TCP, 8080))}
    assert told.failures == {(SeriesLabels("", "pinhole"), "NotAuthorized"): 1}


def test_an_instance_that_has_ended_holds_nothing_but_its_counts() -> None:
    told = tally((0, GatewayFound(gateway="g")), (0, ADDED), (300, RENEWED))
    told.forget("")
    assert (told.leases, told.gateways, told.renewals[MAPPINGS]) == ({}, {}, 1)


# the page


def test_the_page_tells_what_is_up_and_for_how_long(metrics: Metrics, url: str, clock: Clock) -> None:
    metrics.apply("", ADDED)
    clock.seconds += 60
    told = page(url)
    assert told['portmap_mappings_up{session=""}'] == 1
    row = 'portmap_mapping_lease_seconds_left{host="",internal_port="8080",name="web",protocol="tcp",session=""}'
    assert told[row] == 540


def test_a_lease_that_has_run_out_has_no_seconds_left(metrics: Metrics, url: str, clock: Clock) -> None:
    metrics.apply("", ADDED)
    clock.seconds += 6000
    assert {value for name, value in page(url).items() if "lease" in name} == {0.0}


def test_counters_are_there_from_the_first_word(metrics: Metrics, url: str) -> None:
    metrics.apply("home", GatewayFound(gateway="g"))
    told = page(url)
    assert told['portmap_renewals_total{kind="mapping",session="home"}'] == 0
    assert told['portmap_recovery_seconds_count{kind="pinhole",session="home"}'] == 0


def test_recoveries_are_a_histogram(metrics: Metrics, url: str, clock: Clock) -> None:
    metrics.apply("", LOST)
    clock.seconds += 2
    metrics.apply("", ADDED)
    told = page(url)
    buckets = [value for name, value in told.items() if "seconds_bucket" in name and 'kind="mapping"' in name]
    assert buckets == [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    assert told['portmap_recoveries_total{kind="mapping",session=""}'] == 1
    assert told['portmap_recovery_seconds_sum{kind="mapping",session=""}'] == 2


def test_gateway_and_address_are_told(metrics: Metrics, url: str) -> None:
    metrics.apply("", GatewayFound(gateway="NAT-PMP 192.168.1.1"))
    metrics.apply("", ExternalIPChanged(external_ip=IPv4Address("203.0.113.7"), scope=Scope.PUBLIC))
    told = page(url)
    assert told['portmap_gateway_info{gateway="NAT-PMP 192.168.1.1",session=""}'] == 1
    assert told['portmap_external_address_info{ip="203.0.113.7",scope="public",session=""}'] == 1


def test_an_older_address_is_told_no_more(metrics: Metrics, url: str) -> None:
    for text in ("203.0.113.7", "203.0.113.8"):
        metrics.apply("", ExternalIPChanged(external_ip=IPv4Address(text), scope=Scope.PUBLIC))
    assert [name for name in page(url) if "203.0.113" in name] == [
        'portmap_external_address_info{ip="203.0.113.8",scope="public",session=""}'
    ]


def test_a_gateways_name_can_forge_nothing(metrics: Metrics, url: str) -> None:
    metrics.apply("", GatewayFound(gateway='x"} 1\nportmap_mappings_up 9\n' + "y" * 500))
    told = page(url)
    assert "portmap_mappings_up" not in told
    assert max(map(len, told)) < 250


def test_nothing_of_the_process_is_told(metrics: Metrics, url: str) -> None:
    metrics.apply("", ADDED)
    assert {re.match("[a-z]+_", name)[0] for name in page(url)} == {"portmap_"}  # type: ignore[index]  # each matches


def test_the_server_is_gone_afterwards(metrics: Metrics) -> None:
    before = set(threading.enumerate())
    with serve_metrics(metrics, "127.0.0.1:0") as url:
        page(url)
    assert set(threading.enumerate()) <= before  # threads of earlier tests may end meanwhile
    with pytest.raises(OSError, match="refused"):
        page(url)


def test_only_loopback_unless_asked(url: str) -> None:
    assert url.startswith("http://127.0.0.1:")


def test_two_instances_are_told_apart(metrics: Metrics, url: str) -> None:
    for instance in ("home", "vpn"):
        metrics.apply(instance, ADDED)
    metrics.forget("vpn")
    told = page(url)
    assert (told['portmap_mappings_up{session="home"}'], told['portmap_mappings_up{session="vpn"}']) == (1, 0)
