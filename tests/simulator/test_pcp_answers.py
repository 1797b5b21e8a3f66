"""PCP, request to answer: RFC 6887 and miniupnpd's ways."""

import struct
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

import pytest

from portmap.model import Protocol
from portmap.simulator.pcp.packets import (
    Announce,
    Filter,
    Map,
    Option,
    OptionCode,
    PcpResult,
    UnsupportedPcpRequest,
    mapped,
    read_options,
)
from portmap.simulator.pcp.rules import NOWHERE
from portmap.simulator.pcp.server import announcement, answer
from portmap.simulator.state import RouterState
from portmap.testing import Entry, Quirks

NOW = 1007.0
CLIENT = "127.0.0.1"
NONCE = bytes(range(1, 13))
OTHER_NONCE = bytes(12)
ANY = NOWHERE[1]
REQUEST = Map(mapped(CLIENT), 600, NONCE, 6, 8080, 80, ANY)
PREFER_FAILURE = Option(OptionCode.PREFER_FAILURE)
FILTER = Option(OptionCode.FILTER, struct.pack("!BBH16s", 0, 128, 443, mapped("198.51.100.1").packed))


@dataclass
class Said:
    """An answer, read back."""

    opcode: int
    result: int
    lifetime: int
    epoch: int
    body: bytes

    @property
    def ports(self) -> tuple[int, int]:
        internal, external = struct.unpack_from("!HH", self.body, 16)
        return internal, external

    @property
    def address(self) -> str:
        return str(IPv6Address(self.body[20:36]).ipv4_mapped)


def state(quirks: Quirks | None = None) -> RouterState:
    return RouterState("203.0.113.7", quirks or Quirks(), booted=1000.0)


def said(
    request: Map | Announce | UnsupportedPcpRequest, to: RouterState, client: str = CLIENT, now: float = NOW
) -> Said:
    data = answer(request, client, to, now)
    version, opcode, reserved, result, lifetime, epoch = struct.unpack_from("!BBBBII", data)
    assert (version, reserved, len(data) % 4) == (2, 0, 0)
    return Said(opcode, result, lifetime, epoch, data[24:])


def other(request: Map) -> Map:
    return replace(request, client=mapped("127.0.0.9"))


def test_announce_gives_a_sign_of_life_and_the_epoch() -> None:
    assert said(Announce(mapped(CLIENT)), state()) == Said(0x80, PcpResult.SUCCESS, 0, 7, b"")


def test_the_announcement_to_all_is_an_answer_to_no_request() -> None:
    assert announcement(state(), NOW).hex() == "028000000000000000000007" + "00" * 12


def test_a_mapping_is_granted_as_asked() -> None:
    told = said(REQUEST, state())
    assert (told.opcode, told.result, told.lifetime, told.epoch) == (0x81, 0, 600, 7)
    assert (told.body[:13], told.ports, told.address) == (NONCE + b"\6", (8080, 80), "203.0.113.7")


def test_a_granted_mapping_is_in_the_table_with_its_nonce() -> None:
    router = state()
    said(REQUEST, router)
    assert router.table.alive(NOW) == (Entry(Protocol.TCP, 80, CLIENT, 8080, 600, "PCP MAP " + NONCE.hex()),)


def test_external_port_zero_means_the_internal_port() -> None:
    assert said(replace(REQUEST, external_port=0), state()).ports == (8080, 8080)


@pytest.mark.parametrize(("asked", "granted"), [(1, 120), (120, 120), (600, 600), (86400, 86400), (0xFFFFFFFF, 86400)])
def test_lifetimes_are_from_two_minutes_to_a_day(asked: int, granted: int) -> None:
    assert said(replace(REQUEST, lifetime=asked), state()).lifetime == granted


def test_a_port_of_another_host_gives_the_next_one() -> None:
    router = state()
    said(other(REQUEST), router, "127.0.0.9")
    assert said(REQUEST, router).ports == (8080, 81)


def test_the_same_nonce_renews_whatever_port_it_suggests() -> None:
    router = state()
    said(REQUEST, router)
    assert said(replace(REQUEST, external_port=99), router, now=NOW + 300).ports == (8080, 80)
    assert router.table.alive(NOW + 899)


def test_another_nonce_is_not_authorized_for_as_long_as_the_mapping_lasts() -> None:
    router = state()
    said(REQUEST, router)
    told = said(replace(REQUEST, nonce=OTHER_NONCE), router, now=NOW + 100)
    assert (told.result, told.lifetime) == (PcpResult.NOT_AUTHORIZED, 500)


def test_another_nonce_deletes_nothing() -> None:
    router = state()
    said(REQUEST, router)
    told = said(replace(REQUEST, nonce=OTHER_NONCE, lifetime=0), router, now=NOW + 100)
    assert (told.result, told.lifetime, len(router.table.alive(NOW))) == (PcpResult.NOT_AUTHORIZED, 500, 1)


def test_the_same_nonce_deletes() -> None:
    router = state()
    said(REQUEST, router)
    told = said(replace(REQUEST, lifetime=0), router)
    assert (told.result, told.lifetime, told.ports) == (PcpResult.SUCCESS, 0, (8080, 80))
    assert router.table.alive(NOW) == ()


def test_deleting_what_is_not_there_succeeds() -> None:
    assert said(replace(REQUEST, lifetime=0), state()).result == PcpResult.SUCCESS


def test_deleting_internal_port_zero_takes_all_of_this_nonce_only() -> None:
    router = state()
    for request in (
        REQUEST,
        replace(REQUEST, internal_port=8081),
        replace(REQUEST, internal_port=8082, nonce=OTHER_NONCE),
    ):
        said(request, router)
    said(replace(REQUEST, lifetime=0, internal_port=0), router)
    assert [entry.internal_port for entry in router.table.alive(NOW)] == [8082]


def test_what_another_protocol_mapped_has_no_nonce_and_is_taken_over() -> None:
    router = state()
    router.table.put(Entry(Protocol.TCP, 80, CLIENT, 8080, 600, "NAT-PMP"))
    assert said(REQUEST, router).result == PcpResult.SUCCESS


@pytest.mark.parametrize("client", ["127.0.0.2", "0.0.0.0"])  # noqa: S104  # not bound to
@pytest.mark.parametrize("request_", [REQUEST, Announce(mapped(CLIENT))], ids=["map", "announce"])
def test_a_request_that_names_another_client_met_a_nat(request_: Map | Announce, client: str) -> None:
    told = said(replace(request_, client=mapped(client)), state())
    assert (told.result, told.lifetime) == (PcpResult.ADDRESS_MISMATCH, 1800)


def test_an_address_that_only_looks_mapped_is_another_client() -> None:
    assert said(replace(REQUEST, client=IPv6Address("1::ffff:7f00:1")), state()).result == PcpResult.ADDRESS_MISMATCH


@pytest.mark.parametrize(
    ("request_", "result"),
    [
        (replace(REQUEST, protocol=132), PcpResult.UNSUPP_PROTOCOL),
        (replace(REQUEST, protocol=0, internal_port=0), PcpResult.UNSUPP_PROTOCOL),
        (replace(REQUEST, protocol=0), PcpResult.MALFORMED_REQUEST),
        (replace(REQUEST, internal_port=0), PcpResult.MALFORMED_REQUEST),
        (replace(REQUEST, options=(Option(OptionCode.THIRD_PARTY, bytes(16)),)), PcpResult.UNSUPP_OPTION),
        (replace(REQUEST, options=(Option(127),)), PcpResult.UNSUPP_OPTION),
        (replace(REQUEST, options=(PREFER_FAILURE, PREFER_FAILURE)), PcpResult.MALFORMED_OPTION),
        (replace(REQUEST, options=(Option(OptionCode.PREFER_FAILURE, b"1234"),)), PcpResult.MALFORMED_OPTION),
        (replace(REQUEST, options=(PREFER_FAILURE,), external_port=0), PcpResult.MALFORMED_OPTION),
        (replace(REQUEST, options=(Option(OptionCode.FILTER, b"1234"),)), PcpResult.MALFORMED_OPTION),
        (UnsupportedPcpRequest(3, PcpResult.UNSUPP_OPCODE), PcpResult.UNSUPP_OPCODE),
    ],
)
def test_what_is_wrong_by_itself_stays_so_for_long(request_: Map | UnsupportedPcpRequest, result: PcpResult) -> None:
    told = said(request_, state())
    assert (told.result, told.lifetime) == (result, 1800)


def test_an_error_copies_its_request() -> None:
    told = said(replace(REQUEST, protocol=132), state())
    assert told.body == replace(REQUEST, protocol=132).encode_body()


@pytest.mark.parametrize(
    ("router", "result"),
    [
        (RouterState(quirks=Quirks(no_wan=True)), PcpResult.NETWORK_FAILURE),
        (RouterState(usable=lambda _protocol, _port: False), PcpResult.NO_RESOURCES),
        (RouterState(quirks=Quirks(full_table=True)), PcpResult.NO_RESOURCES),
    ],
)
def test_what_may_pass_holds_for_half_a_minute(router: RouterState, result: PcpResult) -> None:
    told = said(REQUEST, router)
    assert (told.result, told.lifetime) == (result, 30)


def test_an_option_that_may_be_skipped_is_skipped() -> None:
    told = said(replace(REQUEST, options=(Option(128, b"hello"),)), state())
    assert (told.result, len(told.body)) == (PcpResult.SUCCESS, 36)


def test_a_filter_is_understood_and_echoed() -> None:
    told = said(replace(REQUEST, options=(FILTER,)), state())
    assert read_options(told.body[36:]) == (FILTER,)
    assert Filter.read(FILTER.data).peer_port == 443


def test_prefer_failure_gets_the_wanted_port() -> None:
    told = said(replace(REQUEST, options=(PREFER_FAILURE,)), state())
    assert (told.result, told.ports, read_options(told.body[36:])) == (0, (8080, 80), (PREFER_FAILURE,))


def test_prefer_failure_fails_for_as_long_as_the_port_is_taken() -> None:
    router = state()
    said(other(REQUEST), router, "127.0.0.9")
    told = said(replace(REQUEST, options=(PREFER_FAILURE,)), router, now=NOW + 100)
    assert (told.result, told.lifetime) == (PcpResult.CANNOT_PROVIDE_EXTERNAL, 500)


@pytest.mark.parametrize(("address", "result"), [("203.0.113.7", 0), ("203.0.113.8", 11)])
def test_prefer_failure_holds_for_the_address_too(address: str, result: int) -> None:
    request = replace(REQUEST, options=(PREFER_FAILURE,), external_ip=mapped(address))
    assert said(request, state()).result == result


def test_without_prefer_failure_the_address_is_only_a_suggestion() -> None:
    assert said(replace(REQUEST, external_ip=mapped("203.0.113.8")), state()).address == "203.0.113.7"


def test_a_refusing_router_still_deletes() -> None:
    assert said(replace(REQUEST, lifetime=0), state(Quirks(pcp_result=2))).result == PcpResult.SUCCESS


def test_pcp_result_refuses_to_map() -> None:
    assert said(REQUEST, state(Quirks(pcp_result=12))).result == 12


def test_short_errors_are_the_header_alone() -> None:
    assert said(replace(REQUEST, protocol=132), state(Quirks(short_errors=True))).body == b""


def test_zero_error_lifetime_is_what_miniupnpd_says() -> None:
    assert said(replace(REQUEST, protocol=132), state(Quirks(zero_error_lifetime=True))).lifetime == 0


def test_extra_option_comes_with_every_answer() -> None:
    assert read_options(said(REQUEST, state(Quirks(extra_option=True))).body[36:])[0].code == 200


def test_wrong_nonce_is_in_the_answer_only() -> None:
    router = state(Quirks(wrong_nonce=True))
    assert said(REQUEST, router).body[:12] != NONCE
    assert router.table.alive(NOW)[0].description.endswith(NONCE.hex())


def test_wrong_internal_port_is_in_the_answer_only() -> None:
    router = state(Quirks(wrong_internal_port=True))
    assert said(REQUEST, router).ports[0] == 8081
    assert router.table.alive(NOW)[0].internal_port == 8080


def test_pcp_no_renewal_says_yes_and_extends_nothing() -> None:
    router = state(Quirks(pcp_no_renewal=True))
    first, again = said(REQUEST, router), said(REQUEST, router, now=NOW + 300)
    assert (first.result, first.lifetime) == (again.result, again.lifetime) == (0, 600)
    assert router.table.alive(NOW)[0].remaining(NOW + 300) == 300


def test_refuses_private_is_no_resources_and_has_the_address() -> None:
    answered = said(REQUEST, state(Quirks(refuses_private=True, cgnat_wan=True)))
    assert (answered.result, answered.lifetime, answered.address) == (8, 30, "100.64.1.2")


def test_only_ports_gives_one_of_them() -> None:
    assert said(REQUEST, state(Quirks(only_ports=frozenset({5003})))).ports == (8080, 5003)
