"""Ring 1: the v4 identity scheme."""

import hashlib
import sys

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from hypothesis import given
from hypothesis import strategies as st

from portmap.errors import PluginError
from portmap_enr import EnrPublisher
from portmap_enr.identity import Identity, keccak256, verify
from portmap_enr.keyfile import ORDER


def test_keccak_is_ethereums_and_not_nists() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"") != hashlib.sha3_256(b"").digest()


def test_the_node_id_is_that_of_eip_778(identity: Identity) -> None:
    assert identity.node_id.hex() == "a448f24c6d18e575453db13171562b71999873db5b286df957af199ec94617f7"


def test_the_public_key_is_that_of_eip_778(identity: Identity) -> None:
    assert identity.public_key.hex() == "03ca634cae0d49acb401d8a4c6b6fe8c55b70d115bf400769cc1400f3258cd3138"


@given(secret=st.integers(1, ORDER - 1), content=st.binary(max_size=40))
def test_a_signature_verifies_and_its_s_is_low(secret: int, content: bytes) -> None:
    identity = Identity(secret)
    signature = identity.sign(content)
    assert verify(identity.public_key, content, signature)
    assert int.from_bytes(signature[32:], "big") <= ORDER // 2


def test_the_same_content_has_the_same_signature(identity: Identity) -> None:
    assert identity.sign(b"content") == identity.sign(b"content")


def test_the_mirrored_signature_is_rejected(identity: Identity) -> None:
    signature = identity.sign(b"content")
    mirrored = ORDER - int.from_bytes(signature[32:], "big")
    assert not verify(identity.public_key, b"content", signature[:32] + mirrored.to_bytes(32, "big"))


def test_other_content_is_rejected(identity: Identity) -> None:
    assert not verify(identity.public_key, b"other", identity.sign(b"content"))


@pytest.mark.parametrize("signature", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 32 + b"\x01" * 32])
def test_what_is_no_signature_is_rejected(identity: Identity, signature: bytes) -> None:
    assert not verify(identity.public_key, b"content", signature)


@pytest.mark.parametrize("public_key", [b"", bytes(33), b"\x02" + b"\xff" * 32, b"\x04" + bytes(64), b"\x05" * 33])
def test_what_is_no_public_key_is_rejected(identity: Identity, public_key: bytes) -> None:
    assert not verify(public_key, b"content", identity.sign(b"content"))


def test_without_deterministic_signing_a_random_signature_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class OldEcdsa(ec.ECDSA):
        """As of a cryptography on an OpenSSL before 3.2."""

        def __init__(self, algorithm: HashAlgorithm, deterministic_signing: bool = False) -> None:
            if deterministic_signing:
                raise UnsupportedAlgorithm("ECDSA with deterministic signature (RFC 6979) is not supported")
            super().__init__(algorithm)

    monkeypatch.setattr(ec, "ECDSA", OldEcdsa)
    identity = Identity(1)
    assert identity.sign(b"content") != identity.sign(b"content")
    assert verify(identity.public_key, b"content", identity.sign(b"content"))


def test_without_secp256k1_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def derive(secret: int, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
        raise UnsupportedAlgorithm(f"curve {curve.name} is not supported")

    monkeypatch.setattr(ec, "derive_private_key", derive)
    with pytest.raises(PluginError, match="no secp256k1: pip install"):
        Identity(1)


@pytest.mark.parametrize("missing", ["cryptography.hazmat.primitives.asymmetric", "Crypto.Hash"])
def test_without_its_libraries_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.delitem(sys.modules, "portmap_enr.identity")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(PluginError, match=r"needs cryptography and pycryptodome .*pip install portmap-nat\[enr\]"):
        EnrPublisher.from_argument("never read")
