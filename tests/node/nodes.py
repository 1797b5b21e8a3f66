"""Nodes and addresses that the tests share."""

from ipaddress import IPv4Address, IPv6Address

from portmap.events import (
    Event,
    ExternalIPChanged,
    PortAdded,
    PortChanged,
)
from portmap.model import Address, Key, Protocol, scope_of
from portmap.node.local_node import LocalNode, Value

TCP, UDP = Protocol.TCP, Protocol.UDP
START = 1_700_000_000_000  # unix ms
LOOPBACK = IPv4Address("127.0.0.1")
PUBLIC = IPv4Address("1.2.3.4")
PUBLIC_6 = IPv6Address("2606:4700::1")
P2P: Key = Key(TCP, 30303)
DISC: Key = Key(UDP, 30303)


class Clock:
    """Unix milliseconds that pass when told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


def shown(node: LocalNode) -> dict[str, Value]:
    node.commit()
    return dict(node.record.entries)


def at(ip: Address | None) -> Event:
    return ExternalIPChanged(external_ip=ip, scope=scope_of(ip))


def added(key: Key, port: int, ip: Address | None = PUBLIC) -> Event:
    return PortAdded(protocol=key[0], internal_port=key[1], external_port=port, external_ip=ip, lifetime=600)


def changed(key: Key, port: int, ip: Address | None = PUBLIC) -> Event:
    return PortChanged(protocol=key[0], internal_port=key[1], external_port=port, external_ip=ip, lifetime=600)


def hear(node: LocalNode, *events: Event) -> dict[str, Value]:
    for event in events:
        node.apply(event)
    return shown(node)
