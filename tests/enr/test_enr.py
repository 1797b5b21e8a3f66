"""Ring 1: node records. After go-ethereum's p2p/enr tests, and EIP-778's own vector."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import Garbled, SpecError
from portmap_enr import enr, rlp
from portmap_enr.identity import Identity, verify
from portmap_enr.rlp import Item

KEY = b"\x02" + bytes(32)


def any_signature(public_key: bytes, content: bytes, signature: bytes) -> bool:
    """A scheme in which everything is true."""
    return bool(public_key and content and signature)


def unsigned(content: bytes) -> bytes:
    return bytes(64) if content else b""


def pairs(**more: Item) -> dict[bytes, Item]:
    return {b"id": b"v4", b"secp256k1": KEY} | {key.encode(): value for key, value in more.items()}


def text_of(data: bytes) -> str:
    return "enr:" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def made_of(*items: Item) -> str:
    return text_of(rlp.encode(items))


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.removeprefix("enr:") + "==")


EIP_PAIRS = {b"ip": b"\x7f\x00\x00\x01", b"udp": b"\x76\x5f"}
EIP_TEXT = (
    "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0"
    "gmlwhH8AAAGJc2VjcDI1NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
)


def test_the_example_of_eip_778_is_read(identity: Identity) -> None:
    record = enr.decode(EIP_TEXT, verify)
    assert record.seq == 1
    assert record.pairs == {b"id": b"v4", b"secp256k1": identity.public_key, **EIP_PAIRS}


def test_the_example_of_eip_778_is_reproduced_byte_for_byte(identity: Identity) -> None:
    signed = {b"id": b"v4", b"secp256k1": identity.public_key, **EIP_PAIRS}
    assert enr.encode(1, signed, identity.sign) == EIP_TEXT


def test_the_order_in_which_pairs_are_given_makes_no_difference() -> None:
    there = pairs(udp=b"\x01", ip=b"\x01\x02\x03\x04")
    back = dict(reversed(there.items()))
    assert enr.encode(1, there, unsigned) == enr.encode(1, back, unsigned)


VALUES: st.SearchStrategy[Item] = st.recursive(
    st.binary(max_size=12), lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4
)


@given(seq=st.integers(0, enr.MAX_SEQ), more=st.dictionaries(st.binary(min_size=1, max_size=6), VALUES, max_size=4))
def test_what_was_signed_is_read_back(seq: int, more: dict[bytes, Item]) -> None:
    key = Identity(0xB71C)
    signed = more | {b"id": b"v4", b"secp256k1": key.public_key}
    record = enr.decode(enr.encode(seq, signed, key.sign), verify)
    assert (record.seq, record.pairs) == (seq, signed)
    assert list(record.pairs) == sorted(signed)


@given(st.integers(0, 8 * 134 - 1))
def test_one_bit_of_a_record_changed_makes_it_false(bit: int) -> None:
    data = bytearray(raw(EIP_TEXT))
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Garbled):
        enr.decode(text_of(bytes(data)), verify)


@given(st.integers(0, 133))
def test_a_record_cut_short_is_garbled(size: int) -> None:
    with pytest.raises(Garbled):
        enr.decode(text_of(raw(EIP_TEXT)[:size]), verify)


@given(st.text(max_size=60))
def test_any_text_is_an_error_and_no_crash(text: str) -> None:
    for candidate in (text, f"enr:{text}"):
        with pytest.raises(Garbled):
            enr.decode(candidate, verify)


def test_another_keys_signature_is_rejected(identity: Identity) -> None:
    theirs = {b"id": b"v4", b"secp256k1": Identity(2).public_key}
    with pytest.raises(Garbled, match="signature is not that of its key"):
        enr.decode(enr.encode(1, theirs, identity.sign), verify)


def test_the_content_is_what_is_signed() -> None:
    def echo(content: bytes) -> bytes:
        return content

    signed, *_ = rlp.decode(raw(enr.encode(1, pairs(), echo)))
    assert signed == enr.content(1, pairs())
    assert rlp.decode(enr.content(1, pairs())) == (b"\x01", b"id", b"v4", b"secp256k1", KEY)


def filled(size: int) -> dict[bytes, Item]:
    """Pairs that make a signed record of so many bytes."""
    trial = len(raw(enr.encode(1, pairs(x=bytes(160)), unsigned)))
    return pairs(x=bytes(160 + size - trial))


def test_a_record_of_exactly_300_bytes_is_fine() -> None:
    text = enr.encode(1, filled(300), unsigned)
    assert len(raw(text)) == 300
    assert enr.decode(text, any_signature).pairs == filled(300)


def test_one_byte_more_is_too_big_to_sign() -> None:
    with pytest.raises(SpecError, match="has 301 bytes, EIP-778 allows 300"):
        enr.encode(1, filled(301), unsigned)


def test_a_record_that_is_too_big_is_not_read() -> None:
    with pytest.raises(Garbled, match="more than 300 bytes"):
        enr.decode(text_of(bytes(301)), any_signature)


@pytest.mark.parametrize("seq", [-1, 2**64])
def test_a_sequence_number_has_64_bits_to_sign(seq: int) -> None:
    with pytest.raises(SpecError, match="64 bits"):
        enr.encode(seq, pairs(), unsigned)


SIG = bytes(64)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not begin with 'enr:'"),
        ("ENR:" + EIP_TEXT[4:], "does not begin with 'enr:'"),
        ("enr:", "an item is missing"),
        (EIP_TEXT + "==", "strict URL-safe base64"),
        (EIP_TEXT.replace("_", "/"), "strict URL-safe base64"),
        (EIP_TEXT + "\n", "base64"),
        ("enr:gB", "strict URL-safe base64"),
        ("enr:g", "not base64"),
        ("enr:é", "not base64"),
        (text_of(b"\x83dog"), "not a list"),
        (made_of(), "not a list of"),
        (made_of(SIG), "not a list of"),
        (made_of(SIG, b"\x01", b"id"), "not a list of"),
        (made_of(SIG, b"\x00", b"id", b"v4"), "is no number"),
        (made_of(SIG, b"\x01" + bytes(8), b"id", b"v4"), "more than 64 bits"),
        (made_of((SIG,), b"\x01", b"id", b"v4"), "the signature is a list"),
        (made_of(SIG, b"\x01", (b"id",), b"v4"), "the key is a list"),
        (made_of(SIG, b"\x01", b"ip", b"1", b"id", b"v4"), "not sorted or not unique"),
        (made_of(SIG, b"\x01", b"id", b"v4", b"id", b"v4"), "not sorted or not unique"),
        (made_of(SIG, b"\x01"), "identity scheme None is not supported"),
        (made_of(SIG, b"\x01", b"id", b"v5", b"secp256k1", KEY), "identity scheme b'v5' is not supported"),
        (made_of(SIG, b"\x01", b"id", b"v4"), "signature is not that of its key"),
        (made_of(SIG, b"\x01", b"id", b"v4", b"secp256k1", (KEY,)), "the public key is a list"),
    ],
)
def test_what_is_not_strictly_a_record_is_garbled(text: str, reason: str) -> None:
    with pytest.raises(Garbled, match=reason):
        enr.decode(text, any_signature)


def test_values_may_be_lists() -> None:
    signed = pairs(eth=((b"\x01\x02\x03\x04", b""),), snap=())
    assert enr.decode(enr.encode(1, signed, unsigned), any_signature).pairs == signed
