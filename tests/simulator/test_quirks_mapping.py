"""The quirks of what is granted, of the line and of the clock, as NAT-PMP, PCP and the relay show them."""

import socket
import struct
from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeAlias

import pytest

from portmap.testing import Quirks, Router

Start: TypeAlias = Callable[..., Router]
ADDRESS = b"\0\0"
PORT = 20001


class Lan:
    """A host of the LAN: asks one router by NAT-PMP."""

    def __init__(self, router: Router, sock: socket.socket) -> None:
        self.router, self._sock = router, sock

    def ask(self, data: bytes) -> bytes:
        self._sock.sendto(data, (self.router.address, self.router.pmp_port))
        return self._sock.recv(2048)

    def map(self, internal_port: int = PORT, external_port: int = PORT, lifetime: int = 600) -> tuple[int, int, int]:
        """Result, external port, lifetime."""
        answer = self.ask(struct.pack("!BBHHHI", 0, 2, 0, internal_port, external_port, lifetime))
        result, external, granted = struct.unpack_from("!2xH6xHI", answer)
        return result, external, granted

    def unmap(self, internal_port: int = PORT) -> None:
        self.map(internal_port, 0, 0)

    def address(self) -> str:
        return socket.inet_ntoa(self.ask(ADDRESS)[8:])

    def epoch(self) -> int:
        return int.from_bytes(self.ask(ADDRESS)[4:8], "big")

    def opens(self, port: int = PORT) -> bool:
        """Whether a host outside can connect to the external port."""
        with closing(socket.socket()) as outside:
            return outside.connect_ex((self.router.outside, port)) == 0


@pytest.fixture
def lan(start: Start, sock: socket.socket) -> Callable[..., Lan]:
    """A host behind a router with these quirks."""
    return lambda **quirks: Lan(start(quirks=Quirks(**quirks)), sock)


Behind: TypeAlias = Callable[..., Lan]


def test_conflict_gives_the_next_free_port(lan: Behind) -> None:
    assert lan(conflict=frozenset({PORT, PORT + 1})).map() == (0, PORT + 2, 600)


def test_other_port_is_another_one(lan: Behind) -> None:
    assert lan(other_port=True).map() == (0, PORT + 1000, 600)


def test_zero_port_says_zero_and_opens_the_port(lan: Behind) -> None:
    host = lan(zero_port=True)
    assert host.map() == (0, 0, 600)
    assert host.opens()


def test_caps_lifetime_grants_less(lan: Behind) -> None:
    assert lan(caps_lifetime=60).map() == (0, PORT, 60)


def test_success_without_effect_opens_nothing(lan: Behind) -> None:
    host = lan(success_without_effect=True)
    assert host.map() == (0, PORT, 600)
    assert not host.opens()


def test_zombie_mapping_is_listed_and_shut(lan: Behind) -> None:
    host = lan(zombie_mapping=True)
    host.map()
    host.map()
    assert len(host.router.entries) == 1
    assert not host.opens()


def test_zombie_mapping_is_cured_by_deleting_it(lan: Behind) -> None:
    host = lan(zombie_mapping=True)
    host.map()
    host.unmap()
    host.map()
    assert host.opens()


def test_zombie_mapping_can_befall_what_works(lan: Behind) -> None:
    host = lan()
    host.map()
    assert host.opens()
    host.router.quirks = Quirks(zombie_mapping=True)
    host.ask(ADDRESS)
    assert not host.opens()


def test_prunes_throws_out_what_has_a_lease(lan: Behind, clock: Any) -> None:
    host = lan(prunes=60.0)
    assert host.map() == (0, PORT, 600)
    clock.now += 60
    assert not host.router.entries


def test_full_table_has_no_room(lan: Behind) -> None:
    assert lan(full_table=True).map() == (4, 0, 0)


def test_high_ports_only_refuses_low_ones(lan: Behind) -> None:
    host = lan(high_ports_only=True)
    assert (host.map(PORT, 1023)[0], host.map(PORT, 1024)[0]) == (2, 0)


def test_vpn_gateway_draws_the_port_and_leases_it_for_a_minute(lan: Behind) -> None:
    result, port, lifetime = lan(vpn_gateway=True).map()
    assert (result, lifetime) == (0, 60)
    assert port >= 32768


@pytest.mark.parametrize("internal_port", [0, 1])
def test_vpn_gateway_takes_internal_port_0_or_1_for_the_same_as_outside(lan: Behind, internal_port: int) -> None:
    host = lan(vpn_gateway=True)
    _, port, _ = host.map(internal_port, 0)
    assert [entry.internal_port for entry in host.router.entries] == [port]
    host.unmap(internal_port)
    assert not host.router.entries


def test_vpn_gateway_keeps_the_port_as_long_as_it_is_renewed(lan: Behind, clock: Any) -> None:
    host = lan(vpn_gateway=True)
    first = host.map(1, 0)
    clock.now += 45
    assert host.map(1, 0) == first


def test_vpn_gateway_draws_another_port_after_a_lapse(lan: Behind, clock: Any) -> None:
    host, ports = lan(vpn_gateway=True), set()
    for _ in range(4):
        ports.add(host.map(1, 0)[1])
        clock.now += 60
    assert len(ports) > 1


def test_no_wan_is_a_network_failure(lan: Behind) -> None:
    assert lan(no_wan=True).map()[0] == 3


def test_wan_flap_is_up_and_down_in_turn(lan: Behind, clock: Any) -> None:
    host, results = lan(wan_flap=5.0), []
    for _ in range(4):
        results.append(host.map()[0])
        clock.now += 5
    assert results == [0, 3, 0, 3]


def test_wan_flap_shuts_the_port_meanwhile(lan: Behind, clock: Any) -> None:
    host, opened = lan(wan_flap=5.0), []
    host.map()
    for _ in range(3):
        opened.append(host.opens())
        clock.now += 5
        host.ask(ADDRESS)
    assert opened == [True, False, True]


@pytest.mark.parametrize(
    ("quirks", "address"),
    [
        (Quirks(private_wan=True), "192.168.100.2"),
        (Quirks(cgnat_wan=True), "100.64.1.2"),
        (Quirks(zero_wan=True), "0.0.0.0"),  # noqa: S104  # not bound to
    ],
)
def test_the_external_address_may_be_worth_nothing(lan: Behind, quirks: Quirks, address: str) -> None:
    host = lan()
    host.router.quirks = quirks
    assert host.address() == address
    assert host.map()[0] == 0


def test_two_wans_states_one_and_the_other(lan: Behind, clock: Any) -> None:
    host, told = lan(two_wans=1.0), []
    for _ in range(3):
        told.append(host.address())
        clock.now += 1
    assert told == ["1.2.3.4", "5.6.7.8", "1.2.3.4"]


def test_epoch_reset_begins_anew_and_forgets_nothing(lan: Behind, clock: Any) -> None:
    host = lan(epoch_reset=5)
    host.map()
    clock.now += 7
    assert host.epoch() == 2
    assert len(host.router.entries) == 1


def test_only_ports_gives_one_of_them(lan: Behind) -> None:
    host = lan(only_ports=frozenset({5003, 5004}))
    assert (host.map(), host.map(20002, 5003)) == ((0, 5003, 600), (0, 5004, 600))
    assert host.map(20003) == (4, 0, 0)


def test_one_mapping_is_replaced_by_the_next(lan: Behind) -> None:
    host = lan(one_mapping=True)
    host.map()
    host.map(20002, 20002)
    assert [entry.external_port for entry in host.router.entries] == [20002]


def test_refuses_private_is_a_network_failure(lan: Behind) -> None:
    host = lan(refuses_private=True)
    assert host.map() == (3, 0, 0)
    assert host.ask(ADDRESS)[2:] == bytes([0, 3]) + bytes(8)


def test_uptime_epoch_goes_on_counting_over_a_reboot(lan: Behind, clock: Any) -> None:
    host = lan(uptime_epoch=True)
    host.map()
    clock.now += 50
    host.router.reboot()
    assert host.epoch() == 50
    assert len(host.router.entries) == 0


def test_unix_epoch_counts_from_1970(lan: Behind, clock: Any) -> None:
    host = lan(unix_epoch=True)
    before = host.epoch()
    clock.now += 50
    host.router.reboot()
    assert before > 1.7e9
    assert host.epoch() == before + 50


def test_short_refusals_are_the_request_with_a_result(lan: Behind) -> None:
    request = struct.pack("!BBHHHI", 0, 2, 0, PORT, PORT, 600)
    answer = lan(short_refusals=True, pmp_result=2).ask(request)
    assert answer == struct.pack("!BBHHHI", 0, 130, 2, PORT, PORT, 600)


def test_short_refusals_are_no_successes(lan: Behind) -> None:
    assert lan(short_refusals=True).map() == (0, PORT, 600)


@pytest.mark.parametrize("quirks", [{"conflict": frozenset({PORT})}, {"only_ports": frozenset({5000})}])
def test_taken_is_4_where_the_port_is_named_and_one_is_chosen_where_it_is_not(lan: Behind, quirks: Any) -> None:
    host = lan(taken_is_4=True, **quirks)
    assert host.map() == (4, 0, 0)
    assert host.map(PORT, 0)[0] == 0


def test_taken_is_4_renews_what_one_has(lan: Behind) -> None:
    host = lan(taken_is_4=True)
    assert [host.map(), host.map()] == [(0, PORT, 600)] * 2


def test_delete_by_external_port_answers_3_for_none(lan: Behind) -> None:
    host = lan(delete_by_external_port=True)
    host.map()
    assert host.map(PORT, 0, 0)[0] == 3
    assert len(host.router.entries) == 1
    assert host.map(PORT, PORT, 0)[0] == 0
    assert not host.router.entries


def test_pmp_result_refuses(lan: Behind) -> None:
    assert lan(pmp_result=5).map() == (5, 0, 0)


def test_no_port_zero_wants_a_port(lan: Behind) -> None:
    host = lan(no_port_zero=True)
    assert (host.map(PORT, 0)[0], host.map(PORT, PORT)[0]) == (4, 0)


def test_wrong_internal_port_is_the_next_one(lan: Behind) -> None:
    request = struct.pack("!BBHHHI", 0, 2, 0, PORT, PORT, 600)
    assert lan(wrong_internal_port=True).ask(request)[8:10] == struct.pack("!H", PORT + 1)
