"""Ring 1: RLP. The good examples are those of the Ethereum documentation of RLP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import Garbled
from portmap_enr import rlp

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"  # 56 bytes: the shortest long string

ITEMS: st.SearchStrategy[rlp.Item] = st.recursive(
    st.binary(max_size=80), lambda inner: st.lists(inner, max_size=8).map(tuple), max_leaves=20
)


@pytest.mark.parametrize(
    ("item", "encoded"),
    [
        (b"dog", b"\x83dog"),
        ((b"cat", b"dog"), b"\xc8\x83cat\x83dog"),
        (b"", b"\x80"),
        ((), b"\xc0"),
        (b"\x00", b"\x00"),
        (b"\x7f", b"\x7f"),
        (b"\x80", b"\x81\x80"),
        (b"\x04\x00", b"\x82\x04\x00"),
        (((), ((),), ((), ((),))), bytes.fromhex("c7c0c1c0c3c0c1c0")),
        (LOREM[:55], b"\xb7" + LOREM[:55]),
        (LOREM, b"\xb8\x38" + LOREM),
        (bytes(1024), b"\xb9\x04\x00" + bytes(1024)),
        ((LOREM,), b"\xf8\x3a\xb8\x38" + LOREM),
    ],
)
def test_an_item_has_its_one_encoding(item: rlp.Item, encoded: bytes) -> None:
    assert rlp.encode(item) == encoded
    assert rlp.decode(encoded) == item


@given(ITEMS)
def test_what_was_encoded_is_decoded(item: rlp.Item) -> None:
    assert rlp.decode(rlp.encode(item)) == item


@given(st.binary(max_size=60))
def test_any_bytes_are_an_error_or_the_one_encoding_of_what_they_say(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except Garbled:
        return
    assert rlp.encode(item) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "an item is missing"),
        ("83646f", "4 bytes promised, 3 there"),
        ("83646f67ff", "1 bytes after the end"),
        ("8100", "byte 00 with a length before it"),
        ("817f", "byte 7f with a length before it"),
        ("b837" + "41" * 55, "a size of 55 in the long form"),
        ("b90038" + "41" * 56, "leading zeros"),
        ("b8", "a size of 0 in the long form"),
        ("bfffffffffffffffff", "bytes promised, 9 there"),
        ("ffffffffffffffffff", "bytes promised, 9 there"),
        ("c283646f", "1 bytes after the end|4 bytes promised"),
        ("c8836361", "9 bytes promised, 4 there"),
    ],
)
def test_what_is_not_strict_rlp_is_garbled(data: str, reason: str) -> None:
    with pytest.raises(Garbled, match=reason):
        rlp.decode(bytes.fromhex(data))


def test_lists_in_lists_without_end_are_garbled() -> None:
    item: rlp.Item = ()
    for _ in range(100):
        item = (item,)
    with pytest.raises(Garbled, match="more than 16 deep"):
        rlp.decode(rlp.encode(item))


@pytest.mark.parametrize(("number", "spelt"), [(0, b""), (1, b"\x01"), (256, b"\x01\x00"), (30303, b"\x76\x5f")])
def test_a_number_is_big_endian_without_leading_zeros(number: int, spelt: bytes) -> None:
    assert rlp.uint(number) == spelt
    assert rlp.to_uint(spelt) == number


@pytest.mark.parametrize("item", [b"\x00", b"\x00\x01", (b"\x01",)])
def test_what_spells_no_number_is_garbled(item: rlp.Item) -> None:
    with pytest.raises(Garbled, match="is no number"):
        rlp.to_uint(item)
