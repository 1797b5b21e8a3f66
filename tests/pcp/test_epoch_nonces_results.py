"""Epochs, sightings, nonces, result codes, NAT-PMP's one question: plain values."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import Conflict, Garbled, NotAuthorized, OutOfResources, Refused
from portmap.model import Protocol
from portmap_pcp.epoch import Epoch
from portmap_pcp.natpmp_address import AddressQuestion, StatedAddress
from portmap_pcp.nonces import Nonces, Owner
from portmap_pcp.observation import LastObservation, Observation, reason_to_alert
from portmap_pcp.packets import Refusal
from portmap_pcp.results import refused

SERVER, OTHER = IPv4Address("192.168.1.1"), IPv4Address("192.168.1.254")
US, US_LATER = IPv4Address("192.168.1.7"), IPv4Address("192.168.1.8")
FIRST, SECOND = IPv4Address("203.0.113.7"), IPv4Address("203.0.113.8")

# epochs: RFC 6887 §8.5


@pytest.mark.parametrize(
    ("elapsed", "newer"),
    [
        (0.0, 1000),  # at once
        (0.0, 999),  # back by one: answers overtook each other
        (0.0, 1002),  # ahead by two
        (60.0, 1060),  # in step with us
        (60.0, 1066),  # 66 less a sixteenth is 61.9, within 60 + 2
        (60.0, 1055),  # 55 + 2 is more than 60 less a sixteenth, 56.25
        (16000.0, 14998 + 1000),  # a clock that loses a sixteenth, to the second
        (0.0, 1001),
    ],
)
def test_a_server_that_kept_its_state_is_believed(elapsed: float, newer: int) -> None:
    assert Epoch(1000, heard_at=50.0).is_continued_by(Epoch(newer, heard_at=50.0 + elapsed))


@pytest.mark.parametrize(
    ("elapsed", "newer"),
    [
        (0.0, 998),  # back by more than one
        (60.0, 0),  # just restarted
        (60.0, 1054),  # 54 + 2 is less than 56.25
        (60.0, 1067),  # 67 less a sixteenth is 62.8: it runs ahead, as after a restart with an old clock
        (0.0, 1003),
        (16000.0, 14997 + 1000),
        (8000.0, 5000),  # ahead of the last one, and still too young
    ],
)
def test_a_server_whose_clock_disagrees_has_lost_its_state(elapsed: float, newer: int) -> None:
    assert not Epoch(1000, heard_at=50.0).is_continued_by(Epoch(newer, heard_at=50.0 + elapsed))


@given(st.integers(0, 1 << 31), st.floats(0, 1e7), st.floats(-1 / 17, 1 / 17), st.floats(0, 0.9))
def test_an_honest_server_never_looks_restarted(start: int, elapsed: float, drift: float, late: float) -> None:
    newer = Epoch(int(start + elapsed * (1 + drift)), heard_at=50.0 + elapsed + late)
    assert Epoch(start, heard_at=50.0).is_continued_by(newer)


@pytest.mark.parametrize(("elapsed", "newer"), [(0.0, 999), (1.5, 1000), (0.0, 1002)])
def test_an_answer_that_is_surely_not_late_is_held_to_the_second(elapsed: float, newer: int) -> None:
    before, now = Epoch(1000, heard_at=50.0), Epoch(newer, heard_at=50.0 + elapsed)
    assert before.is_continued_by(now)
    assert not before.is_surely_continued_by(now)


@given(st.integers(0, 1 << 20), st.floats(0, 0.999), st.floats(0, 1e5))
def test_rounding_alone_is_never_a_restart(start: int, part: float, elapsed: float) -> None:
    newer = Epoch(int(start + part + elapsed), heard_at=50.0 + elapsed)
    assert Epoch(start, heard_at=50.0).is_surely_continued_by(newer)


# sightings

SEEN = Observation(SERVER, Epoch(5000, heard_at=100.0), FIRST)


def later(seconds: float, epoch: int, address: IPv4Address | None = None) -> Observation:
    return Observation(SERVER, Epoch(epoch, heard_at=100.0 + seconds), address)


def test_an_address_lasts_as_long_as_the_servers_state() -> None:
    memory = LastObservation()
    memory.update(SEEN)
    memory.update(later(60, 5060))
    assert memory.external_ip(SERVER) == FIRST
    memory.update(later(120, 0))
    assert memory.external_ip(SERVER) is None


def test_the_address_that_was_granted_last_counts() -> None:
    memory = LastObservation()
    memory.update(SEEN)
    memory.update(later(60, 5060, SECOND))
    assert memory.external_ip(SERVER) == SECOND


def test_one_servers_address_is_not_taken_for_anothers() -> None:
    memory = LastObservation()
    memory.update(SEEN)
    assert memory.external_ip(OTHER) is None
    memory.update(replace(later(60, 5060), server=OTHER))
    assert memory.external_ip(OTHER) is None


def test_the_first_sighting_is_no_reason_nor_is_a_steady_server() -> None:
    assert reason_to_alert(None, SEEN) == reason_to_alert(SEEN, later(60, 5060)) == ""


def test_a_restart_is_a_reason() -> None:
    assert reason_to_alert(SEEN, later(64, 0)) == "gateway restarted: in 64 s its clock went from 5000 s to 0 s"


def test_another_server_is_a_reason() -> None:
    reason = reason_to_alert(SEEN, replace(later(1, 5001), server=OTHER))
    assert reason == "gateway changed: 192.168.1.254 answers in place of 192.168.1.1"


def test_a_server_that_starts_twice_in_two_seconds_and_says_so_is_believed() -> None:
    young = Observation(SERVER, Epoch(0, heard_at=100.0), FIRST)
    again = later(1.5, 0)
    assert reason_to_alert(young, again) == ""  # it might be late
    assert "restarted" in reason_to_alert(young, replace(again, announced=True))
    assert replace(again, announced=True).after(young).external_ip is None


def test_of_many_threads_that_learn_of_a_restart_one_alerts() -> None:
    memory, restarted = LastObservation(), later(10, 0)
    memory.update(SEEN)
    with ThreadPoolExecutor(8) as pool:
        before = list(pool.map(memory.update, [restarted] * 64))
    assert [bool(reason_to_alert(sight, restarted)) for sight in before].count(True) == 1


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
    assert refused(SERVER, Refusal(5, 2, 0xFFFFFFFF)).retry_after == 3600


def test_a_nonce_that_does_not_match_is_explained_with_the_time_that_it_takes() -> None:
    error = refused(SERVER, Refusal(5, 2, 417))
    assert "a mapping of an earlier life holds this one" in str(error)
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
        ("00 80 0000 00000e10 cb007107", StatedAddress(FIRST)),
        ("00 80 0003 00000e10 00000000", StatedAddress(None, 3)),
        ("00 80 0003 00000e10", StatedAddress(None, 3)),
        ("00 80 0000 00000e10 00000000", StatedAddress(None, 3)),  # 0.0.0.0 means that there is none
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
