"""What a backend of kind LOOP promises: how it deals with its gateway, and with the loss of it."""

# ruff: noqa: D102  # a test's name is its docstring

import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Any, ClassVar

import pytest

from portmap.errors import NATError, Refused
from portmap.model import CALL_DEADLINE, Protocol
from portmap.simulator.mapping_table import Entry
from portmap.testing.contract import hostile_input
from portmap.testing.contract.backend_under_test import INTERNAL, SUGGESTED, BackendUnderTest
from portmap.testing.contract.checks import in_time, require
from portmap.testing.contract.gateway import Gateway
from portmap.testing.contract.plugin import PluginContract

AT_ONCE = 1.0  # seconds
NEIGHBOUR = IPv4Address("127.0.0.2")  # another host that a mapping may lead to; nothing is sent to it
LONGEST_NAME = 100  # characters: it stands in the middle of a line

CALLS: dict[str, Callable[[BackendUnderTest], object]] = {
    "external_ip": BackendUnderTest.external_ip,
    "add_mapping": BackendUnderTest.add,
    "delete_mapping": BackendUnderTest.delete,
}


class LoopPromises(PluginContract):
    """Override the fixture `gateway` and `make`."""

    deadline: ClassVar[float] = CALL_DEADLINE
    """Seconds for one call; lower it where `make` sets shorter time limits."""

    @pytest.fixture
    def gateway(self) -> Any:
        """A gateway under test, fresh for each test, on loopback: a `Gateway`."""
        pytest.skip(f"no gateway to test against: override the fixture `gateway` of {type(self).__name__}")

    def make(self, gateway: Any) -> Any:  # noqa: ARG002  # for those who override it
        """A backend that speaks to the gateway under test."""
        return self.plugin.from_argument(self.argument)

    @pytest.fixture
    def backend(self, gateway: Any) -> BackendUnderTest:
        """The backend, made in this thread; every call is made in another."""
        return BackendUnderTest(self.make(gateway), self.deadline)

    # What is granted.

    def test_it_tells_the_external_address(self, backend: BackendUnderTest) -> None:
        backend.external_ip()

    def test_it_maps_before_anybody_has_asked_for_the_address(self, backend: BackendUnderTest) -> None:
        backend.add()

    def test_a_free_suggested_port_is_granted(self, backend: BackendUnderTest) -> None:
        granted = backend.add().external_port
        require(granted == SUGGESTED, f"{SUGGESTED} was suggested and free, {granted} granted")

    def test_without_a_suggested_port_some_external_port_is_granted(self, backend: BackendUnderTest) -> None:
        backend.add(external_port=0)

    def test_what_it_says_was_granted_is_what_the_gateway_holds(
        self, backend: BackendUnderTest, gateway: Gateway
    ) -> None:
        grant = backend.add()
        held = _ours(gateway)
        require(len(held) == 1, f"one mapping was made, the gateway holds {held}")
        told = (grant.external_port, grant.lifetime)
        real = (held[0].external_port, held[0].lifetime)
        require(told == real, f"granted (port, seconds) {told} was told, the gateway holds {real}")

    def test_tcp_and_udp_of_one_port_are_two_mappings(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        tcp, udp = backend.add(Protocol.TCP), backend.add(Protocol.UDP)
        both = {(Protocol.TCP, tcp.external_port), (Protocol.UDP, udp.external_port)}
        held = {(entry.protocol, entry.external_port) for entry in _ours(gateway)}
        require(held == both, f"TCP and UDP were mapped, the gateway holds {held}")

    def test_two_internal_ports_are_two_mappings(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        backend.add()
        backend.add(external_port=0, internal_port=INTERNAL + 1)
        held = {entry.internal_port for entry in gateway.entries()}
        require({INTERNAL, INTERNAL + 1} <= held, f"two ports were mapped, the gateway leads to {held}")

    @pytest.mark.parametrize("name", hostile_input.NAMES.values(), ids=hostile_input.NAMES)
    def test_a_strange_name_changes_nothing(self, name: str, backend: BackendUnderTest) -> None:
        granted = backend.add(name=name).external_port
        require(granted == SUGGESTED, f"{SUGGESTED} was suggested under the name {name[:40]!r}, {granted} granted")
        backend.delete()

    # Renewal.

    def test_asked_again_it_keeps_the_external_port(self, backend: BackendUnderTest) -> None:
        first = backend.add(external_port=0).external_port
        again = backend.add(external_port=first).external_port
        require(again == first, f"the renewal moved the mapping from port {first} to {again}")

    def test_asked_again_it_makes_no_second_mapping(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        for _ in range(3):
            backend.add(external_port=0)
        held = _ours(gateway)
        require(len(held) == 1, f"one mapping was asked for three times, the gateway holds {held}")

    # Deletion.

    def test_a_deleted_mapping_is_gone(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        backend.delete(external_port=backend.add().external_port)
        held = _ours(gateway)
        require(not held, f"after the deletion the gateway still holds {held}")

    def test_deleting_one_protocol_leaves_the_other(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        granted = backend.add(Protocol.TCP).external_port
        backend.add(Protocol.UDP)
        backend.delete(Protocol.TCP, granted)
        held = [entry.protocol for entry in _ours(gateway)]
        require(held == [Protocol.UDP], f"TCP was deleted and UDP was not, the gateway holds {held}")

    def test_deleting_twice_is_harmless(self, backend: BackendUnderTest) -> None:
        granted = backend.add().external_port
        backend.delete(external_port=granted)
        backend.delete(external_port=granted)

    def test_deleting_what_was_never_there_is_harmless(self, backend: BackendUnderTest) -> None:
        backend.delete()

    # Mappings of other hosts.

    def test_a_port_that_another_host_holds_is_left_to_it(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        foreign = _planted(gateway)
        with suppress(Refused):  # Conflict, where no other port will do
            granted = backend.add().external_port
            require(granted != SUGGESTED, f"port {SUGGESTED} is another host's, and was granted to us all the same")
        require(foreign <= set(gateway.entries()), "the mapping of another host was replaced")

    def test_a_mapping_of_another_host_is_never_deleted(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        foreign = _planted(gateway)
        with suppress(NATError):  # saying no is as good as doing nothing
            backend.delete()
        require(foreign <= set(gateway.entries()), "the mapping of another host was deleted")

    def test_what_was_mapped_to_another_host_can_be_deleted(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        try:
            grant = backend.add(client=NEIGHBOUR)
        except Refused:  # as good: many protocols map to the asking host only
            return
        backend.delete(external_port=grant.external_port, token=grant.token, client=NEIGHBOUR)
        held = list(gateway.entries())
        require(not held, f"after the deletion of the mapping to {NEIGHBOUR} the gateway still holds {held}")

    # A gateway that does not answer.

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    def test_a_gateway_that_never_answers_is_an_error_in_time(
        self, call: Callable[[BackendUnderTest], object], backend: BackendUnderTest, gateway: Gateway
    ) -> None:
        gateway.kill()
        _expect_error(call, backend)

    @pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
    def test_a_gateway_that_falls_silent_is_an_error_in_time(
        self, call: Callable[[BackendUnderTest], object], backend: BackendUnderTest, gateway: Gateway
    ) -> None:
        backend.add()
        gateway.kill()
        _expect_error(call, backend)

    def test_a_failure_is_not_remembered(self, backend: BackendUnderTest, gateway: Gateway) -> None:
        gateway.kill()
        _expect_error(BackendUnderTest.external_ip, backend)
        gateway.revive()
        backend.external_ip()
        backend.add()

    # What it is called, and its watch.

    def test_its_name_is_short_and_printable_whatever_happens(
        self, backend: BackendUnderTest, gateway: Gateway
    ) -> None:
        _check_name(backend)
        backend.external_ip()
        _check_name(backend)
        gateway.kill()
        _expect_error(BackendUnderTest.external_ip, backend)
        _check_name(backend)

    def test_a_watch_begins_at_once_and_may_be_ended_twice(self, backend: BackendUnderTest) -> None:
        began = time.monotonic()
        closers = backend.watch()
        if not closers:
            pytest.skip("it has no hook watch: that one is optional")
        took = time.monotonic() - began
        require(took < AT_ONCE, f"watch took {took:.1f} s: it returns at once and watches in a thread of its own")
        backend.external_ip()
        for close in closers * 2:
            in_time(close, self.deadline, "the end of the watch")


def _ours(gateway: Gateway) -> list[Entry]:
    """What the gateway holds for the internal port that the contract maps."""
    return [entry for entry in gateway.entries() if entry.internal_port == INTERNAL]


def _planted(gateway: Gateway) -> set[Entry]:
    """What the gateway holds once another host has the port that the contract asks for."""
    gateway.plant(Protocol.TCP, SUGGESTED)
    return set(gateway.entries())


def _expect_error(call: Callable[[BackendUnderTest], object], backend: BackendUnderTest) -> None:
    """A dead gateway is a NATError; only a deletion may be content, for it is gone that much is true."""
    __tracebackhide__ = True
    try:
        call(backend)
    except NATError:
        return
    require(call is BackendUnderTest.delete, "the gateway is dead, and the answer was no error")


def _check_name(backend: BackendUnderTest) -> None:
    name = str(backend)
    fine = name.isprintable() and 0 < len(name) <= LONGEST_NAME and " object at 0x" not in name
    require(fine, f"its name for people is {name!r}: let __str__ say which gateway it speaks to, in a few words")
