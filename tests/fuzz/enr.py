"""The ENR plugin's parsers: RLP, node records, key files."""

import base64
from pathlib import Path

from portmap_enr import enr, keyfile, rlp
from portmap_enr.identity import verify

# EIP-778, "Test Vectors".
EXAMPLE = (
    "enr:-IS4QHCYrYZbAKWCBRlAy5zzaDZXJBGkcnh4MHcBFZntXNFrdvJjX04jRzjzCBOonrkTfj499SZuOh8R33Ls8RRcy5wBgmlkgnY0gmlwhH8AAAGJc2VjcDI1"
    "NmsxoQPKY0yuDUmstAHYpMa2_oxVtw0RW_QAdpzBQA8yWM0xOIN1ZHCCdl8"
)
_EXAMPLE = base64.urlsafe_b64decode(EXAMPLE.removeprefix("enr:") + "==")


def _signed(*pairs: bytes | rlp.Item) -> bytes:
    """A record with a signature that fits nothing."""
    return rlp.encode((bytes(64), b"\1", *pairs))


RECORDS = (_EXAMPLE, _signed(b"id", b"v4", b"secp256k1", b"\2" + bytes(32)), _signed(b"id", (b"v4", ((),))))
WORDS = (
    *(b"\x80", b"\x81\x00", b"\xb8\x37", b"\xb8\x38", b"\xbf" + b"\xff" * 8, b"\xc0", b"\xc1", b"\xf8\x38", b"\0"),
    *(b"\xff" + b"\xff" * 8, b"\x82id\x82v4", b"\x89secp256k1\xa1", b"\xc2" * 8),
)
TEXTS = (EXAMPLE.encode(), b"enr:-", b"ENR:AA", b"enr:" + b"wA" * 200)
TEXT_WORDS = (b"enr:", b"=", b"A", b"_", b"-", b"+", b"/", b"\n", b" ", b"\0", b"\xff", "\u00e9".encode())
KEY_FILES = (b"11" * 32 + b"\n", b"0" * 64, b"f" * 64 + b"\r\n", b"0x" + b"11" * 32)


def rlp_item(data: bytes) -> None:
    assert rlp.encode(rlp.decode(data)) == data


def record(data: bytes) -> None:
    """The bytes inside the text; the signature is not what is tried here, so that the rest can be."""
    spelt = "enr:" + base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")
    found = enr.decode(spelt, _any_signature)
    assert enr.encode(found.seq, found.pairs, lambda _: found.signature) == spelt


def text(data: bytes) -> None:
    """Text and signature as they come."""
    spelt = data.decode("utf-8", "surrogateescape")
    found = enr.decode(spelt, verify)
    assert enr.encode(found.seq, found.pairs, lambda _: found.signature) == spelt


def key_file(data: bytes) -> None:
    assert 0 < keyfile._parse(data, Path("key")) < keyfile.ORDER


def _any_signature(public_key: bytes, content: bytes, signature: bytes) -> bool:
    verify(public_key, content, signature)  # must not raise
    return True
