"""STUN messages: RFC 5769's test vectors, and one case for each way an answer can be wrong."""

import struct
from binascii import crc32
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import Garbled
from portmap.model import Address
from portmap.wire.stun.message import BindingRequest, Reflection, Refusal

ID = bytes.fromhex("b7e7a701bc34d686fa87dfae")
REQUEST = BindingRequest(ID)
HEAD = "2112a442" + ID.hex()

# RFC 5769 §2.2 and §2.3: SOFTWARE, XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY, FINGERPRINT
SAMPLE_4 = bytes.fromhex(
    f"0101003c{HEAD} 8022000b7465737420766563746f7220 002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004c07d4c96"
)
SAMPLE_6 = bytes.fromhex(
    f"01010048{HEAD} 8022000b7465737420766563746f7220 002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
    "00080014a382954e4be67bf11784c97c8292c275bfe3ed41 80280004c8fb0b4c"
)

HIDDEN = "002000080001a147e112a643"  # 192.0.2.1
HIDDEN_6 = "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
PLAIN = "0001000800018055c0000201"
PLAIN_6 = "00010014000280552001 0db8000000000000000000000001"
DECOY = "0001000800018055 06060606"
MAPPED_4_IN_6 = "0001001400028055 00000000000000000000ffffc0000201"
CHANGED = "0005000800018055c0000202 0004000800018055c0000203"
SIGNATURE = "00080014" + "00" * 20
UNKNOWN, UNKNOWN_OPTIONAL = "7fff0003 61626300", "ffff0003 61626300"


def answer(*attributes: str, kind: int = 0x0101, transaction: bytes = ID) -> bytes:
    body = bytes.fromhex("".join(attributes))
    return struct.pack("!HHI", kind, len(body), 0x2112A442) + transaction + body


def refusal(*attributes: str) -> bytes:
    return answer(*attributes, kind=0x0111)


def with_fingerprint(*attributes: str, wrong: int = 0) -> bytes:
    begun = answer(*attributes, "8028000400000000")[:-8]
    return begun + bytes.fromhex("80280004") + (crc32(begun) ^ 0x5354554E ^ wrong).to_bytes(4, "big")


def seen(datagram: bytes) -> str:
    told = REQUEST.read(datagram)
    assert isinstance(told, Reflection)
    return str(told.address)


def test_a_request_is_a_header_and_nothing_else() -> None:
    assert REQUEST.to_bytes().hex() == "00010000" + HEAD


def test_no_two_requests_share_a_transaction() -> None:
    ids = {BindingRequest().transaction for _ in range(100)}
    assert (len(ids), {len(transaction) for transaction in ids}) == (100, {12})


def test_the_rfcs_sample_answers_are_understood() -> None:
    assert (seen(SAMPLE_4), seen(SAMPLE_6)) == ("192.0.2.1", "2001:db8:1234:5678:11:2233:4455:6677")


@pytest.mark.parametrize(
    ("attributes", "address"),
    [
        ([HIDDEN], "192.0.2.1"),
        ([HIDDEN_6], "2001:db8:1234:5678:11:2233:4455:6677"),
        ([PLAIN, CHANGED], "192.0.2.1"),  # a server of RFC 3489
        ([PLAIN_6], "2001:db8::1"),
        ([DECOY, HIDDEN], "192.0.2.1"),  # a NAT under way may have rewritten the plain one
        ([HIDDEN, HIDDEN_6], "192.0.2.1"),  # the first of a kind counts
        ([UNKNOWN_OPTIONAL, HIDDEN], "192.0.2.1"),
        ([HIDDEN, SIGNATURE, UNKNOWN], "192.0.2.1"),  # behind a signature nothing counts
        ([MAPPED_4_IN_6], "192.0.2.1"),
    ],
)
def test_the_address_is_read(attributes: list[str], address: str) -> None:
    assert seen(answer(*attributes)) == address


def test_a_right_fingerprint_is_accepted() -> None:
    assert seen(with_fingerprint(HIDDEN)) == "192.0.2.1"


@pytest.mark.parametrize(
    "datagram",
    [
        with_fingerprint(HIDDEN, wrong=1),
        answer("80280004c07d4c96", HIDDEN),  # not the last one
        answer(HIDDEN, "80280000"),
        SAMPLE_4[:-1] + b"\x97",
        SAMPLE_4.replace(b"vector", b"hector"),
    ],
)
def test_a_wrong_fingerprint_is_not(datagram: bytes) -> None:
    with pytest.raises(Garbled, match="fingerprint is wrong"):
        REQUEST.read(datagram)


@pytest.mark.parametrize(
    ("datagram", "words"),
    [
        (b"", "fewer than the 20 of a header"),
        (answer(HIDDEN)[:19], "fewer than the 20 of a header"),
        (REQUEST.to_bytes(), "no answer to a binding request"),
        (answer(HIDDEN, kind=0x0103), "no answer to a binding request"),
        (answer(HIDDEN, kind=0x0011), "no answer to a binding request"),
        (answer(HIDDEN)[:-4], "not what it has"),
        (answer(HIDDEN) + bytes(4), "not what it has"),
        (answer(HIDDEN, "61"), "not what it has"),  # no multiple of 4
        (answer(HIDDEN, transaction=bytes(12)), "another transaction"),
        (answer(HIDDEN).replace(b"\x21\x12\xa4\x42", b"\x21\x12\xa4\x43"), "another transaction"),
        (answer(), "no address"),
        (answer(UNKNOWN_OPTIONAL), "no address"),
        (answer(SIGNATURE, HIDDEN), "no address"),
        (answer(HIDDEN, UNKNOWN), "0x7fff, which is mandatory"),
        (answer("002000100001a147e112a643"), "claims 16 bytes, more than there are"),
        (answer("0020ffff0001a147e112a643"), "claims 65535 bytes"),
        (answer("00200000"), "no known family"),
        (answer("002000040001a147"), "no known family"),
        (answer("002000080002a147e112a643"), "no known family"),  # IPv6, of 4 bytes
        (answer("002000080003a147e112a643"), "no known family"),
        (answer("0001000800018055 00000000"), "which no host can have"),
        (answer("0001000800018055 e0000001"), "which no host can have"),
        (answer("0001000800018055 ffffffff"), "which no host can have"),
        (answer("0001001400028055" + "00" * 16), "which no host can have"),
        (answer("0001001400028055 ff02" + "00" * 14), "which no host can have"),
        (refusal(), "without an error code"),
        (refusal("00090003 00000400"), "without an error code"),
        (refusal("00090004 00000200"), "without an error code"),
        (refusal("00090004 00000700"), "without an error code"),
        (refusal("00090004 00000464"), "without an error code"),
        (refusal("00090004 00000400", UNKNOWN), "which is mandatory"),
    ],
)
def test_what_is_no_good_answer_is_refused_with_the_reason(datagram: bytes, words: str) -> None:
    with pytest.raises(Garbled) as caught:
        REQUEST.read(datagram)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ("0009000f 00000414 556e6b6e6f776e20417474 00", Refusal(420, "Unknown Att")),
        ("00090004 00000500", Refusal(500, "")),
        ("00090004 fffffb00", Refusal(300, "")),  # reserved bits are not read
        ("00090006 00000400 ff41 0000", Refusal(400, "\ufffdA")),
    ],
)
def test_a_refusal_is_read(attribute: str, told: Refusal) -> None:
    assert REQUEST.read(refusal(attribute)) == told


def plain(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address


def may_be_ours(mapped: Address) -> bool:
    address = plain(mapped)
    return not (address.is_unspecified or address.is_multicast or address.packed == b"\xff" * 4)


@given(st.ip_addresses().filter(may_be_ours), st.integers(0, 65535), st.binary(min_size=12, max_size=12))
def test_every_address_and_port_gets_through_hidden(address: Address, port: int, transaction: bytes) -> None:
    mask = (0x2112A442).to_bytes(4, "big") + transaction
    hidden = bytes(byte ^ hide for byte, hide in zip(address.packed, mask, strict=False))
    value = struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ 0x2112) + hidden
    attribute = struct.pack("!HH", 0x20, len(value)) + value
    told = BindingRequest(transaction).read(answer(attribute.hex(), transaction=transaction))
    assert told == Reflection(plain(address), port)


# RFC 5780


def test_a_request_may_ask_for_an_answer_from_elsewhere() -> None:
    asked = {
        flags: BindingRequest(ID, change_ip=flags[0], change_port=flags[1]).to_bytes().hex().removeprefix("00010008")
        for flags in ((True, True), (True, False), (False, True))
    }
    assert asked == {
        (True, True): HEAD + "0003000400000006",
        (True, False): HEAD + "0003000400000004",
        (False, True): HEAD + "0003000400000002",
    }


def test_a_request_may_ask_for_an_answer_to_another_port() -> None:
    assert BindingRequest(ID, response_port=25565).to_bytes().hex() == "00010008" + HEAD + "0027000263dd0000"


def test_the_servers_other_address_is_read() -> None:
    told = REQUEST.read(answer(HIDDEN, "802c0008000108730a000002"))
    assert isinstance(told, Reflection)
    assert told.other == (IPv4Address("10.0.0.2"), 2163)


@pytest.mark.parametrize("other", ["802c00080001087300000000", "802c000800090873c0000202", "802c0000"])
def test_another_address_that_makes_no_sense_costs_nothing_else(other: str) -> None:
    told = REQUEST.read(answer(HIDDEN, other))
    assert told == Reflection(IPv4Address("192.0.2.1"), 32853)


@pytest.mark.parametrize(
    ("other", "is_one"),
    [
        (("9.9.9.9", 3479), True),
        (("9.9.9.9", 0), False),
        (("8.8.8.8", 3479), False),  # the address that was asked
        (("2001:4860::1", 3479), False),
        (("192.168.1.1", 53), False),
        (("127.0.0.1", 53), False),
    ],
)
def test_a_second_address_of_a_server_is_another_one_of_the_same_version_and_scope(
    other: tuple[str, int], is_one: bool
) -> None:
    told = Reflection(IPv4Address("1.2.3.4"), 5000, (ip_address(other[0]), other[1]))
    assert told.second_of("8.8.8.8") == (told.other if is_one else None)


@pytest.mark.parametrize(
    ("address", "port", "is_one"), [("1.2.3.4", 1, True), ("1.2.3.4", 0, False), ("::2", 1, False)]
)
def test_an_endpoint_has_a_port_and_the_ip_version_of_the_socket(address: str, port: int, is_one: bool) -> None:
    assert Reflection(ip_address(address), port).is_of(4) is is_one
