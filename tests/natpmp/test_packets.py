import struct
import subprocess
import sys
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import Garbled
from portmap.model import Protocol
from portmap_natpmp.packets import (
    PORT,
    AddressAnswer,
    AddressRequest,
    MappingAnswer,
    MappingRequest,
    Refusal,
    error_text,
)

ADDRESS = AddressRequest()
MAP_TCP = MappingRequest(Protocol.TCP, 30303, 30303, 600)


def test_the_port_is_that_of_rfc_6886() -> None:
    assert PORT == 5351


def test_an_address_request_is_version_and_opcode_0() -> None:
    assert ADDRESS.to_bytes() == bytes.fromhex("00 00")


def test_a_tcp_mapping_request_field_by_field() -> None:
    # version 0, opcode 2 (TCP), reserved, internal 30303, external 40404, 600 s
    request = MappingRequest(Protocol.TCP, 30303, 40404, 600)
    assert request.to_bytes() == bytes.fromhex("00 02 0000 765f 9dd4 00000258")


def test_udp_is_opcode_1() -> None:
    # version 0, opcode 1 (UDP), reserved, internal 30303, external 30303, 600 s
    request = MappingRequest(Protocol.UDP, 30303, 30303, 600)
    assert request.to_bytes() == bytes.fromhex("00 01 0000 765f 765f 00000258")


def test_a_deletion_keeps_the_internal_port_only() -> None:
    # version 0, opcode 2 (TCP), reserved, internal 30303, external 0, 0 s
    assert MappingRequest(Protocol.TCP, 30303).to_bytes() == bytes.fromhex("00 02 0000 765f 0000 00000000")


def test_the_longest_lifetime_fits() -> None:
    assert MappingRequest(Protocol.TCP, 65535, 65535, 0xFFFFFFFF).to_bytes()[4:] == b"\xff" * 8


def test_an_address_answer_field_by_field() -> None:
    # version 0, opcode 128, result 0, epoch 3600 s, 203.0.113.7
    answer = ADDRESS.read(bytes.fromhex("00 80 0000 00000e10 cb007107"))
    assert answer == AddressAnswer(3600, IPv4Address("203.0.113.7"))


def test_a_mapping_answer_field_by_field() -> None:
    # version 0, opcode 130, result 0, epoch 3600 s, internal 30303, external 40404, 300 s
    answer = MAP_TCP.read(bytes.fromhex("00 82 0000 00000e10 765f 9dd4 0000012c"))
    assert answer == MappingAnswer(3600, 40404, 300)


def test_the_answer_to_a_deletion_has_neither_port_nor_lifetime() -> None:
    answer = MappingRequest(Protocol.TCP, 30303).read(bytes.fromhex("00 82 0000 00000e10 765f 0000 00000000"))
    assert answer == MappingAnswer(3600, 0, 0)


def test_bytes_behind_an_answer_are_let_pass() -> None:
    answer = ADDRESS.read(bytes.fromhex("00 80 0000 00000e10 cb007107 deadbeef"))
    assert answer == AddressAnswer(3600, IPv4Address("203.0.113.7"))


@pytest.mark.parametrize(
    "datagram",
    [
        "00 82 0002 00000e10",  # ends after the header, as RFC 6886 allows
        "00 82 0002 00000e10 765f 0000 00000000",  # complete
        "00 82 0002 00000e10 0000 0000 00000000",  # complete, port not echoed
        "00 82 0002 00000e10 0000 0000 00000000 00",  # more than complete
    ],
)
def test_a_refusal_may_be_short(datagram: str) -> None:
    assert MAP_TCP.read(bytes.fromhex(datagram)) == Refusal(epoch=3600, result=2)


@pytest.mark.parametrize("datagram", ["00 82 0002 765f 765f 00000258", "00 82 0002 00000e10 765f"])
def test_a_refusal_of_another_length_has_no_epoch(datagram: str) -> None:
    assert MAP_TCP.read(bytes.fromhex(datagram)) == Refusal(epoch=None, result=2)


def test_a_refused_address_question_has_its_epoch_in_its_12_bytes() -> None:
    assert AddressRequest().read(bytes.fromhex("00 80 0003 00000e10 00000000")) == Refusal(epoch=3600, result=3)


@pytest.mark.parametrize(
    ("datagram", "epoch"),
    [
        ("00 00 0001 00000e10", 3600),  # RFC 6886 §3.5 draws it with opcode 0
        ("00 82 0001 00000e10", 3600),  # the usual opcode
        ("02 82 0001 00000000 00000e10" + "00" * 12, None),  # a PCP gateway, RFC 6887 §7.2: its epoch is elsewhere
    ],
)
def test_unsupported_version_is_understood_in_every_version(datagram: str, epoch: int | None) -> None:
    assert MAP_TCP.read(bytes.fromhex(datagram)) == Refusal(epoch, result=1)


@pytest.mark.parametrize(
    ("datagram", "complaint"),
    [
        ("", "0 bytes"),
        ("00", "1 bytes"),
        ("00 82 0000 00000e", "7 bytes"),
        ("00 82 0000 00000e10", "8 bytes"),  # a success cannot end here
        ("00 82 0000 00000e10 765f 765f 000002", "15 bytes"),
        ("01 82 0000 00000e10 765f 765f 00000258", "version 1"),
        ("02 82 0000 00000e10 765f 765f 00000258", "version 2"),
        ("00 80 0000 00000e10 cb007107", "opcode 128"),  # an address answer
        ("00 81 0000 00000e10 765f 765f 00000258", "opcode 129"),  # the same port, but UDP
        ("00 02 0000 765f 765f 00000258", "opcode 2"),  # our own request, echoed
        ("00 02 0000 00000e10 765f 765f 00000258", "opcode 2"),  # no answer bit
        ("00 02 0003 00000e10", "opcode 2"),  # a refusal without the answer bit
        ("00 82 0000 00000e10 765e 765f 00000258", "internal port 30302"),
        ("00 82 0000 00000e10 0000 765f 00000258", "internal port 0"),
    ],
)
def test_what_is_no_answer_to_a_mapping_request_is_garbled(datagram: str, complaint: str) -> None:
    with pytest.raises(Garbled, match=complaint):
        MAP_TCP.read(bytes.fromhex(datagram))


@pytest.mark.parametrize(
    ("datagram", "complaint"),
    [
        ("00 00", "2 bytes"),  # our own request, echoed
        ("00 80 0000 00000e10 cb0071", "11 bytes"),
        ("01 80 0000 00000e10 cb007107", "version 1"),
        ("00 00 0000 00000e10 cb007107", "opcode 0"),
        ("00 82 0000 00000e10 765f 765f 00000258", "opcode 130"),  # a mapping answer
    ],
)
def test_what_is_no_answer_to_an_address_request_is_garbled(datagram: str, complaint: str) -> None:
    with pytest.raises(Garbled, match=complaint):
        ADDRESS.read(bytes.fromhex(datagram))


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_but_garbled(datagram: bytes) -> None:
    for request in (ADDRESS, MAP_TCP):
        try:
            request.read(datagram)
        except Garbled as error:
            assert str(error).startswith("the answer ")  # noqa: PT017  # either outcome is right


@given(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_every_good_answer_is_read_as_it_was_written(epoch: int, port: int, lifetime: int) -> None:
    datagram = struct.pack("!BBHIHHI", 0, 130, 0, epoch, 30303, port, lifetime)
    assert MAP_TCP.read(datagram) == MappingAnswer(epoch, port, lifetime)


def test_error_texts_are_the_librarys_on_one_line() -> None:
    assert error_text(2) == "The operation was refused. NAT-PMP may be turned off on gateway"
    assert error_text(77) == "Unknown fatal error"


def test_the_librarys_compile_warning_never_reaches_the_user() -> None:
    # -B and a prefix without byte code: the library is compiled anew, as on the first run after an installation
    command = [sys.executable, "-B", "-X", "pycache_prefix=/nonexistent", "-W", "error", "-c", "import portmap_natpmp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
