"""NAT-PMP, bytes to bytes: RFC 6886 and miniupnpd's ways."""

import pytest

from portmap.model import Protocol
from portmap.simulator.natpmp import answer, read
from portmap.simulator.state import RouterState
from portmap.testing import Entry, Quirks

NOW = 1007.0
CLIENT = "127.0.0.1"


def state(quirks: Quirks | None = None) -> RouterState:
    return RouterState("203.0.113.7", quirks or Quirks(), booted=1000.0)


def said(text: str, to: RouterState, client: str = CLIENT, now: float = NOW) -> str:
    """The answer to this request, in hexadecimal, blanks for reading."""
    request = read(bytes.fromhex(text))
    assert request is not None
    return answer(request, client, to, now).hex(" ", -4)


def spaced(text: str) -> str:
    return bytes.fromhex(text).hex(" ", -4)


def test_the_external_address_comes_with_the_epoch() -> None:
    assert said("00 00", state()) == spaced("00 80 0000  00000007  cb007107")


def test_without_an_external_address_the_result_is_network_failure() -> None:
    assert said("00 00", state(Quirks(no_wan=True))) == spaced("00 80 0003  00000007  00000000")


def test_a_tcp_mapping_is_granted_as_asked() -> None:
    request = "00 02 0000  1f90 0050  00000258"  # map tcp, 8080 to 80, 600 s
    assert said(request, state()) == spaced("00 82 0000 00000007 1f90 0050 00000258")


def test_a_udp_mapping_has_opcode_one() -> None:
    request = "00 01 0000  1f90 0050  00000258"
    assert said(request, state()) == spaced("00 81 0000 00000007 1f90 0050 00000258")


def test_external_port_zero_means_the_internal_port() -> None:
    request = "00 02 0000  1f90 0000  00000258"
    assert said(request, state()) == spaced("00 82 0000 00000007 1f90 1f90 00000258")


def test_a_granted_mapping_is_in_the_table() -> None:
    router = state()
    said("00 02 0000  1f90 0050  00000258", router)
    assert router.table.alive(NOW) == (Entry(Protocol.TCP, 80, CLIENT, 8080, 600, "NAT-PMP"),)


def test_a_port_of_another_host_gives_the_next_one() -> None:
    router = state()
    said("00 02 0000  1f90 0050  00000258", router, client="127.0.0.9")
    assert said("00 02 0000  1f90 0050  00000258", router) == spaced("00 82 0000 00000007 1f90 0051 00000258")


def test_a_repeated_request_gets_the_same_answer() -> None:
    router = state(Quirks(other_port=True))
    first = said("00 02 0000  1f90 0050  00000258", router)
    assert said("00 02 0000  1f90 0050  00000258", router) == first


def test_a_repeated_request_renews_the_lease() -> None:
    router = state()
    said("00 02 0000  1f90 0050  00000258", router, now=NOW)
    said("00 02 0000  1f90 0050  00000258", router, now=NOW + 300)
    assert router.table.alive(NOW + 899)


def test_lifetime_zero_deletes() -> None:
    router = state()
    said("00 02 0000  1f90 0050  00000258", router)
    assert said("00 02 0000  1f90 0000  00000000", router) == spaced("00 82 0000 00000007 1f90 0000 00000000")
    assert router.table.alive(NOW) == ()


def test_deleting_what_is_not_there_succeeds() -> None:
    assert said("00 02 0000  1f90 0000  00000000", state()) == spaced("00 82 0000 00000007 1f90 0000 00000000")


def test_deleting_internal_port_zero_takes_all_of_the_client_and_protocol_only() -> None:
    router = state()
    for request, client in (
        ("00 02 0000  1f90 0050  00000258", CLIENT),
        ("00 02 0000  1f91 0051  00000258", CLIENT),
        ("00 01 0000  1f90 0050  00000258", CLIENT),
        ("00 02 0000  1f90 0052  00000258", "127.0.0.9"),
    ):
        said(request, router, client)
    said("00 02 0000  0000 0000  00000000", router)
    assert [(e.protocol, e.external_port) for e in router.table.alive(NOW)] == [(Protocol.UDP, 80), (Protocol.TCP, 82)]


def test_a_mapping_of_another_host_is_not_deleted() -> None:
    router = state()
    said("00 02 0000  1f90 0050  00000258", router, client="127.0.0.9")
    said("00 02 0000  1f90 0000  00000000", router)
    assert router.table.alive(NOW)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("02 00", "00 00 0001 00000007"),  # PCP: the R bit of the answer is clear
        ("01 01", "00 00 0001 00000007"),
        ("00 03", "00 83 0005 00000007"),
        ("00 7f 0000 00000000", "00 ff 0005 00000007"),
        ("00 02 0000  0000 0050  00000258", "00 82 0002 00000007 0000 0000 00000000"),
    ],
    ids=["pcp", "version-1", "opcode-3", "opcode-127", "internal-port-0"],
)
def test_what_cannot_be_done_is_answered_with_a_result(request_: str, expected: str) -> None:
    assert said(request_, state()) == spaced(expected)


@pytest.mark.parametrize("data", ["", "00", "00 80 0000", "00 82 0000 00000000", "00 02 0000 1f90 0050 000002"])
def test_answers_and_stumps_are_dropped(data: str) -> None:
    assert read(bytes.fromhex(data)) is None


def test_a_refusal_echoes_the_internal_port() -> None:
    request = "00 02 0000  1f90 0050  00000258"
    assert said(request, state(Quirks(pmp_result=2))) == spaced("00 82 0002 00000007 1f90 0000 00000000")


def test_a_refusing_router_still_deletes() -> None:
    assert said("00 02 0000  1f90 0000  00000000", state(Quirks(pmp_result=2))).startswith(spaced("00 82 0000"))


def test_a_full_table_is_out_of_resources() -> None:
    full = RouterState(usable=lambda _protocol, _port: False)
    assert said("00 02 0000  1f90 0050  00000258", full, now=0).startswith(spaced("00 82 0004"))
