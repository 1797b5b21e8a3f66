"""Metrics: the numbers, and the page that a scraper reads."""

import re
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address, IPv6Address
from itertools import count
from math import inf
from pathlib import Path
from typing import Any

import pytest

from portmap.cli.hold import page_server
from portmap.cli.hold.metrics import Metrics, parse_address, serve_metrics
from portmap.cli.hold.metrics_totals import MetricTotals, PortLabels, SeriesLabels
from portmap.cli.hold.page_server import CONNECTIONS
from portmap.errors import SpecError
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
from portmap.model import Protocol, Scope

TCP: dict[str, Any] = {"protocol": Protocol.TCP, "internal_port": 8080}
ADDED = PortAdded(**TCP, external_port=80, lifetime=600, name="web")
RENEWED = PortRenewed(**TCP, external_port=80, lifetime=600, name="web")
FAILED = PortFailed(**TCP, reason="taken", error="Conflict")
LOST = PortLost(**TCP)
PORT = PortLabels("", "mapping", (Protocol.TCP, 8080))
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
    assert told.leases.keys() == {PortLabels("", "pinhole", (Protocol.TCP, 8080))}
    assert told.failures == {(SeriesLabels("", "pinhole"), "NotAuthorized"): 1}


def test_an_instance_that_has_ended_holds_nothing_but_its_counts() -> None:
    told = tally((0, GatewayFound(gateway="g")), (0, ADDED), (300, RENEWED))
    told.forget("")
    assert (told.leases, told.gateways, told.renewals[MAPPINGS]) == ({}, {}, 1)


# the page


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    return Metrics(clock)


@pytest.fixture
def url(metrics: Metrics) -> Iterator[str]:
    with serve_metrics(metrics, "0") as url:
        yield url


def page(url: str) -> dict[str, float]:
    """Every sample of the page."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own server
        text = answer.read().decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_the_page_tells_what_is_up_and_for_how_long(metrics: Metrics, url: str, clock: Clock) -> None:
    metrics.apply("", ADDED)
    clock.seconds += 60
    told = page(url)
    assert told['portmap_mappings_up{session=""}'] == 1
    row = 'portmap_mapping_lease_seconds_left{internal_port="8080",name="web",protocol="tcp",session=""}'
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
    before = threading.active_count()
    with serve_metrics(metrics, "127.0.0.1:0") as url:
        page(url)
    assert threading.active_count() == before
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


# attacks


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])


def answer_to(url: str, request: bytes) -> str:
    """The status line, "" where the server hangs up."""
    with socket.create_connection(("127.0.0.1", port_of(url)), timeout=5) as sock:
        sock.sendall(request)
        return sock.makefile("rb").readline().decode().strip()


def descriptors_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def asked_for(host: str) -> bytes:
    return f"GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:9100", "localhost", "LOCALHOST:9100", "[::1]:9100", "10.0.0.9"]
)
def test_a_host_header_with_an_address_or_localhost_gets_the_page(url: str, host: str) -> None:
    assert answer_to(url, asked_for(host)) == "HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9100",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "1.2.3",
        "[x]",
        "[::1",
        "::1",
    ],
)
def test_a_host_header_with_a_name_is_refused(url: str, host: str) -> None:
    assert answer_to(url, asked_for(host)) == "HTTP/1.1 400 Bad Request"


def test_a_request_without_one_host_header_is_refused(url: str) -> None:
    assert answer_to(url, b"GET /metrics HTTP/1.0\r\n\r\n") == "HTTP/1.1 400 Bad Request"
    two = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    assert answer_to(url, two) == "HTTP/1.1 400 Bad Request"


def test_many_silent_connections_cost_no_thread_and_no_scrape(metrics: Metrics, url: str) -> None:
    metrics.apply("", ADDED)
    before, descriptors = threading.active_count(), descriptors_open()
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port_of(url)), 5)) for _ in range(300)]
        assert page(url)['portmap_mappings_up{session=""}'] == 1
        assert threading.active_count() == before
        assert descriptors_open() <= descriptors + len(silent) + CONNECTIONS


def test_a_byte_at_a_time_ends_at_the_deadline(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_server, "DEADLINE", 0.3)
    with serve_metrics(metrics, "0") as url, socket.create_connection(("127.0.0.1", port_of(url)), 5) as sock:
        sock.settimeout(0.02)
        for number in count():
            assert number < 500, "the connection outlives its deadline"
            try:
                sock.send(b"G")
                assert sock.recv(1) == b""
            except TimeoutError:
                continue
            except ConnectionError:
                pass  # cut off with a byte of ours unread
            return


def test_a_head_without_end_is_cut_off(url: str) -> None:
    with suppress(ConnectionError):  # cut off while we were sending
        assert answer_to(url, b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 100_000) == ""


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /nothing HTTP/1.1", "404 Not Found"),
        ("POST /metrics HTTP/1.1", "405 Method Not Allowed"),
        ("nonsense", "400 Bad Request"),
        ("GET /metrics HTTP/9", "400 Bad Request"),
        ("", "400 Bad Request"),
    ],
)
def test_another_request_gets_no_page(url: str, request_line: str, status: str) -> None:
    assert answer_to(url, f"{request_line}\r\nHost: localhost\r\n\r\n".encode()) == f"HTTP/1.1 {status}"


# what may go wrong


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9100", ("127.0.0.1", 9100)),
        ("0.0.0.0:9100", ("0.0.0.0", 9100)),  # noqa: S104  # parsed, not bound
        ("[::1]:9100", (str(IPv6Address("::1")), 9100)),
    ],
)
def test_an_address_is_read(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "http", ":9100", "localhost:9100", "1.2.3.4:", "99999", "127.0.0.1:-1", "٣", "[x]:1"]
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="--metrics"):
        parse_address(text)


def test_a_taken_port_is_the_users_to_mend(metrics: Metrics) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SpecError, match="cannot listen there"), serve_metrics(metrics, str(port)):
            pytest.fail("it serves")


def test_without_the_extra_it_says_what_to_install(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)  # as if it were not installed
    with pytest.raises(SpecError, match=r"pip install 'portmap-nat\[metrics\]'"), serve_metrics(metrics, "0"):
        pytest.fail("it serves")
