"""A mapping to another host: what the gateway is asked for, and what follows where the host's address changes."""

from ipaddress import IPv4Address, IPv4Network
from typing import ClassVar

import pytest

from portmap.backends.nat import Nat
from portmap.errors import NoGateway, Refused
from portmap.hookspecs import hookimpl
from portmap.loop.lease import Lease
from portmap.loop.mapping_client import Failed, Granted, MappingClient
from portmap.model import Address, Grant, Kind, PortRequest, Protocol
from portmap.network.lan_hosts import LanHosts

NAS = PortRequest(Protocol.TCP, 8443, 443, host="nas.lan")
FIRST, SECOND = IPv4Address("192.168.1.50"), IPv4Address("192.168.1.60")


class _AllowingGateway:
    """Maps to any client, and lists what it did."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self) -> None:
        self.done: list[tuple[str, Address | None]] = []

    def __str__(self) -> str:
        return "NAT-PMP 192.168.1.1"

    @hookimpl
    def external_ip(self) -> Address:
        return IPv4Address("1.2.3.4")

    @hookimpl
    def add_mapping(self, external_port: int, lifetime: int, client: Address | None) -> Grant:
        self.done.append(("add", client))
        return Grant(external_port, lifetime)

    @hookimpl
    def delete_mapping(self, client: Address | None) -> None:
        self.done.append(("delete", client))


class _OwnHostGateway:
    """Knows no client."""

    kind: ClassVar[Kind] = Kind.LOOP

    @hookimpl
    def external_ip(self) -> Address:
        return IPv4Address("1.2.3.4")

    @hookimpl
    def add_mapping(self, external_port: int, lifetime: int) -> Grant:
        return Grant(external_port, lifetime)

    @hookimpl
    def delete_mapping(self) -> None:
        """Nothing is kept."""


class _MovingHost:
    """What nas.lan is known by now."""

    def __init__(self) -> None:
        self.address: IPv4Address | None = FIRST

    def look_up(self, name: str) -> list[Address]:
        if self.address is None:
            raise NoGateway(f"{name} has no address")
        return [self.address]


def mapped(client: MappingClient, lease: Lease) -> Lease:
    """The lease, asked for and granted."""
    aimed = client.find_host(lease)
    outcome = client.add(aimed)
    assert isinstance(outcome, Granted)
    return aimed.granted(outcome.grant, None, 0.0, 0.0)


@pytest.fixture
def gateway() -> _AllowingGateway:
    return _AllowingGateway()


@pytest.fixture
def nas() -> _MovingHost:
    return _MovingHost()


@pytest.fixture
def client(gateway: _AllowingGateway, nas: _MovingHost) -> MappingClient:
    lan = IPv4Network("192.168.1.0/24")
    hosts = LanHosts(nas.look_up, lambda _: lan, list, lambda _: IPv4Address("192.168.1.2"))
    return MappingClient(Nat(gateway, "scripted"), 5.0, hosts)


def test_the_gateway_is_asked_to_forward_to_the_address_of_the_host(
    client: MappingClient, gateway: _AllowingGateway
) -> None:
    mapped(client, Lease.of(NAS, 0.0))
    assert gateway.done == [("add", FIRST)]


def test_a_renewal_of_a_host_that_stays_is_one_call(client: MappingClient, gateway: _AllowingGateway) -> None:
    mapped(client, mapped(client, Lease.of(NAS, 0.0)))
    assert gateway.done == [("add", FIRST), ("add", FIRST)]


def test_what_led_to_the_earlier_address_of_a_host_that_moved_is_deleted_first(
    client: MappingClient, gateway: _AllowingGateway, nas: _MovingHost
) -> None:
    lease = mapped(client, Lease.of(NAS, 0.0))
    nas.address = SECOND
    client.delete(mapped(client, lease))
    assert gateway.done == [("add", FIRST), ("delete", FIRST), ("add", SECOND), ("delete", SECOND)]


def test_what_an_earlier_session_left_at_the_earlier_address_is_deleted_too(
    client: MappingClient, gateway: _AllowingGateway
) -> None:
    mapped(client, Lease.of(NAS, 0.0, 443, client=SECOND, still_held=True))
    assert gateway.done == [("delete", SECOND), ("add", FIRST)]


def test_a_host_that_cannot_be_found_is_a_refusal_and_leaves_the_mapping_alone(
    client: MappingClient, gateway: _AllowingGateway, nas: _MovingHost
) -> None:
    lease = mapped(client, Lease.of(NAS, 0.0))
    nas.address = None
    with pytest.raises(Refused, match=r"nas\.lan has no address"):
        client.find_host(lease)
    assert gateway.done == [("add", FIRST)]


def test_a_request_for_this_host_looks_nothing_up(client: MappingClient, nas: _MovingHost) -> None:
    nas.address = None
    assert client.find_host(Lease.of(PortRequest(Protocol.TCP, 80), 0.0)).client is None


def test_a_gateway_that_maps_for_this_host_only_is_not_asked(nas: _MovingHost) -> None:
    lan = IPv4Network("192.168.1.0/24")
    hosts = LanHosts(nas.look_up, lambda _: lan, list, lambda _: IPv4Address("192.168.1.2"))
    client = MappingClient(Nat(_OwnHostGateway(), "scripted"), 5.0, hosts)
    outcome = client.add(client.find_host(Lease.of(NAS, 0.0)))
    assert isinstance(outcome, Failed)
    assert "for this host only, not for 192.168.1.50" in str(outcome.error)
