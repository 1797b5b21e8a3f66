"""LocalNode: what this node tells the world about where it can be reached. The loop's first listener.

Rules:
- Pure; time comes in through `clock`. Every method may be called from any thread.
- `record` is an immutable snapshot that `commit` swaps by one assignment.
- Any number of changes between two commits make one new record. A record is new only if its entries really differ:
  nothing else raises `seq`.

Where each entry comes from, the best source first (go-ethereum's p2p/enode/localnode.go, mended):

- `set` pins an entry, whatever the other sources say.
- The address of a family: `set_static_ip`; what the gateway stated, if that is public; what peers agree on; the
  fallback address. A private or CGNAT address of a gateway is never published.
- The port of a protocol: the mapping that is up, the first that came up if several are; for UDP what peers agree on,
  together with their address; the local port (`expect_port`, `set_fallback_udp`).

A local port is a start value. It is a claim about this host's own address, so it is never published beside an address
that a gateway stated, and it is gone for good once a mapping of its protocol was up: when that mapping
lapses, its port is taken out of the record, and no dead port stays there. Without a NAT backend nothing of this happens
and the record keeps the local ports.
"""

import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address
from threading import RLock

from portmap.events import Event, ExternalIPChanged, PortAdded, PortChanged, PortEvent, PortLost, PortRemoved
from portmap.model import MAX_PORT, Address, PortRequest, Protocol, Scope
from portmap.node.address_sources import AddressSources
from portmap.node.ip_tracker import ObservedEndpoint
from portmap.node.record import Record, Value, checked, checked_port

__all__ = ["LocalNode", "Record", "Value", "unix_ms"]


def unix_ms() -> int:
    """The wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class LocalNode:
    """The node's record in the making.

    It starts empty. `clock` gives unix milliseconds; `seq` is where an earlier run of the same node ended. Without
    it the clock's milliseconds are the start: a higher number than before a restart, unless the record changed more
    than once per millisecond.
    """

    def __init__(self, clock: Callable[[], int] = unix_ms, seq: int | None = None) -> None:
        self._clock = clock
        self._pinned: dict[str, Value] = {}
        self._v4, self._v6 = self._families = AddressSources(), AddressSources()
        self._record = Record(clock() if seq is None else seq)
        self._lock = RLock()

    @property
    def record(self) -> Record:
        """The record as last committed. Safe to read from any thread."""
        return self._record

    def commit(self) -> Record | None:
        """Make everything said since the last commit one new record; None if nothing really changed."""
        with self._lock:
            entries = tuple(sorted((self._derived() | self._pinned).items()))
            if entries == self._record.entries:
                return None
            self._record = Record(self._record.seq + 1, entries)
            return self._record

    def follow(self, events: Iterable[Event]) -> Record | None:
        """Apply events that belong together, and commit; no other commit comes in between."""
        with self._lock:
            for event in events:
                self.apply(event)
            return self.commit()

    # What the owner says.

    def set(self, key: str, value: Value) -> None:
        """Pin an entry. Raises SpecError where the value cannot be what the key is known to mean."""
        with self._lock:
            self._pinned[key] = checked(key, value)

    def delete(self, key: str) -> None:
        """Unpin an entry; what is derived under that key, if anything, comes back."""
        with self._lock:
            self._pinned.pop(key, None)

    def set_static_ip(self, ip: Address | None) -> None:
        """State the address of a family, which ends prediction for it; None takes back both families'."""
        with self._lock:
            for family in self._families_of(ip):
                family.static_ip = ip and _plain(ip)

    def set_fallback_ip(self, ip: Address | None) -> None:
        """The address of a family for want of a better one; None takes back both families'."""
        with self._lock:
            for family in self._families_of(ip):
                family.fallback_ip = ip and _plain(ip)

    def set_fallback_udp(self, port: int) -> None:
        """The UDP port of both families for want of a better one; 0 for none."""
        with self._lock:
            for family in self._families:
                family.fallback_ports.pop(Protocol.UDP, None)
                if port:
                    family.fallback_ports[Protocol.UDP] = checked_port("udp", port)

    def expect_port(self, request: PortRequest) -> None:
        """Take the request's local port as its protocol's start value, unless there is one already.

        A port of another host is none of the node's.
        """
        if request.host:
            return
        with self._lock:
            for family in self._families:
                family.fallback_ports.setdefault(request.protocol, request.internal_port)

    # What peers say.

    def statement(self, host: Address, ip: Address, port: int) -> None:
        """A peer at `host` says that it sees us at UDP `ip` and `port`. What cannot be true is ignored."""
        if 1 <= port <= MAX_PORT and not ip.is_unspecified and not ip.is_multicast:
            seen = ObservedEndpoint(_plain(ip), port)
            with self._lock:
                self._family_of(seen.ip).peers.statement(_plain(host), seen, self._clock())

    def contact(self, host: Address) -> None:
        """We have sent something to the peer at `host`."""
        with self._lock:
            self._family_of(host).peers.contact(_plain(host), self._clock())

    def full_cone(self) -> bool:
        """Whether peers reached us before we had contacted them, as far as `statement` and `contact` tell."""
        with self._lock:
            return any(family.peers.full_cone(self._clock()) for family in self._families)

    # What the loop says.

    def apply(self, event: Event) -> None:
        """Follow one event; those that say nothing about where this host can be reached change nothing."""
        if isinstance(event, PortEvent) and event.host:
            return
        with self._lock:
            match event:
                case ExternalIPChanged():
                    self._gateway_stated(event)
                case PortAdded(kind="mapping") | PortChanged(kind="mapping"):
                    self._opened(event)
                case PortLost(kind="mapping") | PortRemoved(kind="mapping"):
                    self._shut(event)
                case PortAdded(kind="pinhole") | PortChanged(kind="pinhole"):
                    self._v6.pinhole_opened(event.key, event.external_port, event.external_ip)
                case PortLost(kind="pinhole") | PortRemoved(kind="pinhole"):
                    self._v6.pinhole_closed(event.key)

    def _gateway_stated(self, event: ExternalIPChanged) -> None:
        for family in self._families:  # a gateway states one address: a new one voids the old, of whichever family
            family.gateway_ip = None
        if event.external_ip is not None and event.scope is Scope.PUBLIC:
            self._family_of(event.external_ip).gateway_ip = _plain(event.external_ip)

    def _opened(self, event: PortEvent) -> None:
        opened = self._family_of(event.external_ip)
        for family in self._families:
            if family is opened and event.external_port:
                family.mapping_opened(event.key, event.external_port)
            else:
                family.mapping_closed(event.key)

    def _shut(self, event: PortEvent) -> None:
        for family in self._families:
            family.mapping_closed(event.key)
            if isinstance(event, PortRemoved):
                family.drop_local_port(event.key)

    # How it becomes entries.

    def _derived(self) -> dict[str, Value]:
        now = self._clock()
        at4, at6 = self._v4.best(now), self._v6.best(now)
        entries: dict[str, Value | None] = {"ip": at4.ip, "ip6": at6.ip}
        for key, port4, port6 in (("tcp", at4.tcp, at6.tcp), ("udp", at4.udp, at6.udp)):
            # EIP-778: the plain key speaks for both families, the other one only where it differs.
            entries[key] = port6 if at6.ip and not at4.ip else port4
            entries[f"{key}6"] = port6 if at6.ip and at4.ip and port6 != port4 else None
        return {key: value for key, value in entries.items() if value}

    def _family_of(self, ip: Address | None) -> AddressSources:
        """The family of an address; IPv4 for an unknown one, since NAT is IPv4's affair."""
        return self._v6 if ip is not None and _plain(ip).version == 6 else self._v4

    def _families_of(self, ip: Address | None) -> tuple[AddressSources, ...]:
        return self._families if ip is None else (self._family_of(ip),)


def _plain(ip: Address) -> Address:
    """The address in its own family: `::ffff:192.0.2.1` is an IPv4 address. A zone means nothing elsewhere."""
    if isinstance(ip, IPv4Address):
        return ip
    return ip.ipv4_mapped or IPv6Address(ip.packed)
