"""`--metrics`: what the sessions do, as a page for Prometheus.

Rules:
- prometheus-client is an extra. It is imported only here, and only for `--metrics`; it writes the text format.
- The registry is our own: nothing of the process is told but the sessions.
- Text from the network is made printable and cut; prometheus-client escapes it.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

from portmap.cli.hold.metrics_totals import BUCKETS, KINDS, MetricTotals, PortLabels
from portmap.cli.hold.page_server import Page, PageServer
from portmap.errors import SpecError
from portmap.events import Event
from portmap.printable import printable

if TYPE_CHECKING:
    from prometheus_client.core import Metric

HOST = "127.0.0.1"  # the default; another address has to be named
SHOWN = 100  # characters of a text from the network
CLOSING = 1.0  # seconds for the server's thread to end


def parse_address(text: str) -> tuple[str, int]:
    """`[HOST:]PORT`, a host by its address and IPv6 in brackets; port 0: any. Raises SpecError."""
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535) or (colon and not host):
        raise SpecError(f"--metrics {text!r} is not understood: write PORT or HOST:PORT, as in 9100 or [::1]:9100")
    try:
        named = _host(host) if host else ip_address(HOST)
    except ValueError:
        raise SpecError(f"--metrics {text!r}: {host!r} is no address: write one, as in {HOST}:{port}") from None
    return str(named), int(port)


def _host(text: str) -> IPv4Address | IPv6Address:
    """An address, where IPv6 has its brackets. Raises ValueError."""
    return IPv6Address(text[1:-1]) if text[:1] + text[-1:] == "[]" else IPv4Address(text)


class Metrics:
    """Counts the events of one or more sessions. From any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._totals = MetricTotals()
        self._lock = threading.Lock()

    def apply(self, instance: str, event: Event) -> None:
        """Count an event; `instance` is empty where there is only one."""
        with self._lock:
            self._totals.apply(instance, event, self._clock())

    def forget(self, instance: str) -> None:
        """The instance has ended."""
        with self._lock:
            self._totals.forget(instance)

    def collect(self) -> Iterable["Metric"]:
        """The metrics as they are now; prometheus-client calls this for every scrape."""
        with self._lock:
            return list(_families(self._totals, self._clock()))


@contextmanager
def serve_metrics(metrics: Metrics, address: str) -> Iterator[str]:
    """Serve while it lasts; gives the URL. Raises SpecError: a wrong address, a taken port, a missing extra."""
    host, port = parse_address(address)
    exposition = _exposition()
    from prometheus_client import CollectorRegistry  # noqa: PLC0415  # an extra, and slow to import

    registry = CollectorRegistry(auto_describe=False)
    registry.register(metrics)

    def make_page(accept: str) -> Page:
        encode, content_type = exposition.choose_encoder(accept)
        return Page(encode(registry), content_type)

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise SpecError(f"--metrics {address}: cannot listen there: {error.strerror or error}") from error
    server = PageServer(listener, make_page)
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}/metrics"
    finally:
        server.close(CLOSING)


def _exposition() -> Any:
    try:
        from prometheus_client import exposition  # noqa: PLC0415  # as above
    except ImportError as error:
        raise SpecError("--metrics needs prometheus-client: pip install 'portmap-nat[metrics]'") from error
    return exposition


def _families(totals: MetricTotals, now: float) -> Iterator["Metric"]:
    yield from _ports(totals, now)
    yield from _counters(totals)
    yield from _information(totals)


def _ports(totals: MetricTotals, now: float) -> Iterator["Metric"]:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  # as above

    for kind in KINDS:
        up = GaugeMetricFamily(f"portmap_{kind}s_up", f"Open {kind}s.", labels=["session"])
        left = GaugeMetricFamily(
            f"portmap_{kind}_lease_seconds_left",
            "Seconds until the lease runs out; +Inf for a permanent one.",
            labels=["session", "protocol", "internal_port", "host", "name"],
        )
        for instance in sorted({series.instance for series in totals.recoveries}):
            up.add_metric([instance], sum(port[:2] == (instance, kind) for port in totals.leases))
        for port, lease in totals.leases.items():
            if port.kind == kind:
                left.add_metric([*_labels(port), _shown(lease.name)], max(0.0, lease.until - now))
        yield up
        yield left
    reachable = GaugeMetricFamily(
        "portmap_mapping_reachable",
        "Whether a responder outside reached the port, at the last proof.",
        labels=["session", "protocol", "internal_port", "host"],
    )
    for port, reached in totals.reachable.items():
        reachable.add_metric(_labels(port), float(reached))
    yield reachable


def _labels(port: PortLabels) -> list[str]:
    return [port.instance, port.key.protocol.lower(), str(port.key.internal_port), port.key.host]


def _counters(totals: MetricTotals) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily  # noqa: PLC0415  # as above

    labels = ["session", "kind"]
    renewals = CounterMetricFamily("portmap_renewals", "Leases renewed.", labels=labels)
    for series, count in totals.renewals.items():
        renewals.add_metric(list(series), count)
    failures = CounterMetricFamily(
        "portmap_failures", "Failures announced, each once a reason, by class of error.", labels=[*labels, "reason"]
    )
    for (series, reason), count in totals.failures.items():
        failures.add_metric([*series, reason], count)
    recoveries = CounterMetricFamily("portmap_recoveries", "Ports that were in trouble and are well.", labels=labels)
    seconds = HistogramMetricFamily("portmap_recovery_seconds", "From the first trouble to well again.", labels=labels)
    for series, each in totals.recoveries.items():
        recoveries.add_metric(list(series), sum(each.counts))
        seconds.add_metric(list(series), _cumulated(each.counts), each.seconds)
    yield from (renewals, failures, recoveries, seconds)


def _information(totals: MetricTotals) -> Iterator["Metric"]:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415  # as above

    address = GaugeMetricFamily(
        "portmap_external_address_info", "The external address and its worth.", labels=["session", "ip", "scope"]
    )
    for instance, (ip, scope) in totals.addresses.items():
        address.add_metric([instance, str(ip), scope], 1)
    gateway = GaugeMetricFamily("portmap_gateway_info", "The gateway, while it answers.", labels=["session", "gateway"])
    for instance, name in totals.gateways.items():
        gateway.add_metric([instance, _shown(name)], 1)
    yield from (address, gateway)


def _cumulated(counts: list[int]) -> list[tuple[str, float]]:
    """As Prometheus has its buckets: each with all below it."""
    bounds = [f"{bound:g}" for bound in BUCKETS[:-1]] + ["+Inf"]
    return [(bound, sum(counts[: index + 1])) for index, bound in enumerate(bounds)]


def _shown(text: str) -> str:
    return printable(text)[:SHOWN]
