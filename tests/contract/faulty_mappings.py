"""Backends with one fault each in how they map a port and delete it.

Not collected by itself: its contracts are there to fail.
"""

# ruff: noqa: N801  # the contract calls it `plugin`, here as everywhere
# mypy: disable-error-code="override"
# Hooks take only the arguments that they need, as plugins' hooks may.

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from tests.contract.sound import US, InMemoryContract, Sound

from portmap.hookspecs import hookimpl
from portmap.model import Grant, Protocol
from portmap.testing import Entry


class TestNoAddress(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def external_ip(self) -> Any:
            self.reach()
            return "198.51.100.1"


class TestOtherPort(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            super().enter(entry)
            return Grant(entry.external_port + 1, entry.lifetime)


class TestMadeUpLifetime(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            super().enter(replace(entry, lifetime=60))
            return Grant(entry.external_port, entry.lifetime)


class TestPortNought(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Any:
            self.reach()
            return self.enter(Entry(protocol, external_port, US, internal_port, lifetime))


class TestMovingRenewal(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Any:
            self.reach()
            port = external_port or internal_port
            while (protocol, port) in self.gateway.table:
                port += 1
            return self.enter(Entry(protocol, port, US, internal_port, lifetime))


class TestSecondMapping(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            while (entry.protocol, entry.external_port) in self.gateway.table:
                entry = replace(entry, external_port=entry.external_port + 1)
            super().enter(entry)
            first = min(held.external_port for held in self.mine() if held.internal_port == entry.internal_port)
            return Grant(first, entry.lifetime)


class TestOneProtocol(InMemoryContract):
    class plugin(Sound):
        def enter(self, entry: Entry) -> Any:
            return super().enter(replace(entry, protocol=Protocol.TCP))


class TestNoDeletion(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self) -> None:
            self.reach()


class TestDeletionOfBoth(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self, external_port: int, internal_port: int) -> None:
            for protocol in Protocol:
                Sound.delete_mapping(self, protocol, external_port, internal_port)


class TestDeletionOfNothing(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self, protocol: Protocol, external_port: int) -> None:
            self.reach()
            del self.gateway.table[protocol, external_port]


class TestRobber(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Any:
            self.reach()
            return self.enter(Entry(protocol, external_port or internal_port, US, internal_port, lifetime))


class TestVandal(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def delete_mapping(self, protocol: Protocol, external_port: int) -> None:
            self.reach()
            self.gateway.table.pop((protocol, external_port), None)


class TestNeighbourly(InMemoryContract):
    class plugin(Sound):
        @hookimpl
        def add_mapping(
            self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int, client: IPv4Address | None
        ) -> Any:
            if client is None:
                return Sound.add_mapping(self, protocol, external_port, internal_port, "", lifetime)
            return self.enter(Entry(protocol, external_port, str(client), internal_port, lifetime))

        @hookimpl
        def delete_mapping(
            self, protocol: Protocol, external_port: int, internal_port: int, client: IPv4Address | None
        ) -> None:
            Sound.delete_mapping(self, protocol, external_port, internal_port)
