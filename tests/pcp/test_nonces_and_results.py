"""Nonces and result codes of PCP (RFC 6887 §11.2, §7.4), and the question that NAT-PMP answers. Pure."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pcp.epochs import FIRST, OTHER, SERVER

from portmap.errors import Conflict, Garbled, NoPublicAddress, NotAuthorized, OutOfResources, Refused
from portmap.model import Protocol
from portmap_pcp.natpmp_address import AddressQuestion, StatedAddress
from portmap_pcp.nonces import Nonces, Owner
from portmap_pcp.packets import Refusal
from portmap_pcp.results import refused

US, US_LATER = IPv4Address("192.168.1.7"), IPv4Address("192.168.1.8")
# nonces: RFC 6887 §11.2


TCP: Owner = (SERVER, US, Protocol.TCP, 30303)
TOKEN = "0123456789abcdef01234567"  # noqa: S105  # as a journal has it


def test_a_mapping_keeps_its_nonce() -> None:
    nonces = Nonces()
    nonce = nonces.of(TCP, "")
    assert len(nonce) == 12
    assert nonces.of(TCP, "") == nonces.of(TCP, nonce.hex()) == nonce


@pytest.mark.parametrize(
    "other",
    [
        (OTHER, US, Protocol.TCP, 30303),  # "MUST use a different mapping nonce for each PCP server"
        (SERVER, US_LATER, Protocol.TCP, 30303),
        (SERVER, US, Protocol.UDP, 30303),
        (SERVER, US, Protocol.TCP, 30304),
    ],
)
def test_another_mapping_has_another_nonce(other: Owner) -> None:
    nonces = Nonces()
    nonce = nonces.of(TCP, "")
    assert nonces.of(other, nonce.hex()) != nonce
    assert nonces.of(TCP, nonces.of(other, "").hex()) == nonce


def test_a_token_of_an_earlier_life_is_the_nonce() -> None:
    assert Nonces().of(TCP, TOKEN) == bytes.fromhex(TOKEN)


@pytest.mark.parametrize(
    "token", ["", TOKEN[:-1], TOKEN + "0", TOKEN[:-1] + "g", TOKEN.upper(), f" {TOKEN[1:]}", TOKEN + "\n", "٣" * 24]
)
def test_a_token_that_is_none_is_ignored(token: str) -> None:
    nonces = Nonces()
    nonce = nonces.of(TCP, token)
    assert len(nonce) == 12
    assert nonces.of(TCP, token) == nonce


def test_a_deleted_mapping_is_forgotten_wherever_it_was() -> None:
    nonces = Nonces()
    held = [nonces.of(owner, "") for owner in (TCP, (OTHER, US_LATER, Protocol.TCP, 30303))]
    udp = nonces.of((SERVER, US, Protocol.UDP, 30303), "")
    nonces.forget(Protocol.TCP, 30303)
    assert nonces.of(TCP, "") not in held
    assert nonces.of((SERVER, US, Protocol.UDP, 30303), "") == udp


# result codes: RFC 6887 §7.4


@pytest.mark.parametrize(
    ("result", "kind", "advice"),
    [
        (1, Refused, "another version"),
        (2, NotAuthorized, "allow PCP in its settings"),
        (3, Refused, "does not understand"),
        (4, Refused, "does not know this operation"),
        (5, Refused, "does not know an option"),
        (6, Refused, "does not understand an option"),
        (7, Refused, "is its uplink connected"),
        (8, OutOfResources, "table is full"),
        (9, Refused, "cannot map this transport protocol"),
        (10, OutOfResources, "as many mappings as it may have"),
        (11, Conflict, "is taken"),
        (12, Refused, "double NAT"),
        (13, Refused, "too many filters"),
        (77, Refused, "RFC 6887 does not know"),
    ],
)
def test_a_result_code_becomes_the_error_that_it_means(result: int, kind: type[Refused], advice: str) -> None:
    error = refused(SERVER, Refusal(5, result, 30))
    assert (type(error), error.code, error.retry_after) == (kind, result, 30)
    assert advice in str(error)
    assert str(error).startswith("PCP 192.168.1.1 refused with result")
    assert error.text


def test_an_error_is_obeyed_for_an_hour_at_the_most() -> None:
    assert refused(SERVER, Refusal(5, 2, 0xFFFFFFFF, has_nonce=True)).retry_after == 3600


def test_an_error_without_our_nonce_is_obeyed_for_half_a_minute_at_the_most() -> None:
    assert refused(SERVER, Refusal(5, 2, 0xFFFFFFFF)).retry_after == 30


@pytest.mark.parametrize("result", [7, 8])
@pytest.mark.parametrize("address", ["100.64.1.1", "192.168.1.7", "10.0.0.1"])
def test_a_refusal_that_tells_an_address_that_is_not_public_means_double_nat(result: int, address: str) -> None:
    error = refused(SERVER, Refusal(5, result, 30, IPv4Address(address), has_nonce=True))
    assert isinstance(error, NoPublicAddress)
    assert (str(error.external_ip), error.code, error.retry_after) == (address, result, 30)
    assert f"{address} is not public" in str(error)
    assert "double NAT" in str(error)


@pytest.mark.parametrize("address", [None, "203.0.113.7"])
def test_a_full_table_at_a_public_address_is_a_full_table(address: str | None) -> None:
    error = refused(SERVER, Refusal(5, 8, 30, IPv4Address(address) if address else None, has_nonce=True))
    assert type(error) is OutOfResources


def test_a_nonce_that_does_not_match_is_explained_with_the_time_that_it_takes() -> None:
    error = refused(SERVER, Refusal(5, 2, 417))
    assert "a mapping of an earlier session holds this one" in str(error)
    assert "417 s" in str(error)


def test_an_error_that_says_no_time_names_none() -> None:
    assert not str(refused(SERVER, Refusal(5, 8))).endswith(" s")


# the question that NAT-PMP answers


ASK = AddressQuestion()


def test_the_question_is_version_and_opcode_0() -> None:
    assert ASK.to_bytes() == bytes(2)


@pytest.mark.parametrize(
    ("datagram", "stated"),
    [
        ("00 80 0000 00000e10 cb007107", StatedAddress(FIRST, epoch=3600)),
        ("00 80 0003 00000e10 00000000", StatedAddress(None, 3)),
        ("00 80 0003 00000e10", StatedAddress(None, 3)),
        ("00 80 0000 00000e10 00000000", StatedAddress(None, epoch=3600)),  # 0.0.0.0 means that there is none
        ("02 80 0001 00000000 00000e10" + "00" * 12, StatedAddress(None, 1)),  # speaks PCP only
    ],
)
def test_an_address_or_the_reason_why_there_is_none(datagram: str, stated: StatedAddress) -> None:
    assert ASK.read(bytes.fromhex(datagram)) == stated


@pytest.mark.parametrize("datagram", ["", "00 00", "00 00 0000 00000e10 cb007107", "00 80 0000 00000e10 cb0071"])
def test_what_states_no_address_is_garbled(datagram: str) -> None:
    with pytest.raises(Garbled):
        ASK.read(bytes.fromhex(datagram))


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_but_garbled(datagram: bytes) -> None:
    try:
        ASK.read(datagram)
    except Garbled as error:
        assert str(error).startswith("the answer ")  # noqa: PT017  # either outcome is right
