"""Identity scheme "v4" of EIP-778: ECDSA on secp256k1 over keccak-256.

The only module that needs `cryptography` and `pycryptodome`; it is imported when a key is used. keccak-256 is not
hashlib's sha3_256: NIST changed the padding.
"""

from portmap.errors import PluginError
from portmap_enr.keyfile import ORDER

try:
    from Crypto.Hash import keccak
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import (
        Prehashed,
        decode_dss_signature,
        encode_dss_signature,
    )
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError as error:
    raise PluginError(
        f"publisher enr needs cryptography and pycryptodome ({error}): pip install portmap-nat[enr]"
    ) from error

_DIGEST = Prehashed(SHA256())  # stands for any 32 bytes: what was hashed, and how, is not its business


def keccak256(data: bytes) -> bytes:
    """The hash of all Ethereum."""
    return keccak.new(digest_bits=256, data=data).digest()


class Identity:
    """A secret key, 1..ORDER-1, and what follows from it."""

    def __init__(self, secret: int) -> None:
        try:
            self._key = ec.derive_private_key(secret, ec.SECP256K1())
        except UnsupportedAlgorithm as error:
            raise PluginError(
                "publisher enr: this build of cryptography has no secp256k1: pip install --force-reinstall cryptography"
            ) from error
        self._algorithm = _signing_algorithm()
        self.public_key = self._point(PublicFormat.CompressedPoint)
        self.node_id = keccak256(self._point(PublicFormat.UncompressedPoint)[1:])

    def sign(self, content: bytes) -> bytes:
        """The 64 bytes r and s over the content's keccak-256; s in the lower half, as all of Ethereum wants it."""
        r, s = decode_dss_signature(self._key.sign(keccak256(content), self._algorithm))
        return r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")

    def _point(self, form: PublicFormat) -> bytes:
        return self._key.public_key().public_bytes(Encoding.X962, form)


def verify(public_key: bytes, content: bytes, signature: bytes) -> bool:
    """Whether the signature over the content is that key's, in its one accepted form."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if len(public_key) != 33 or len(signature) != 64 or s > ORDER // 2:
        return False
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public_key)
        key.verify(encode_dss_signature(r, s), keccak256(content), ec.ECDSA(_DIGEST))
    except (ValueError, InvalidSignature):
        return False
    return True


def _signing_algorithm() -> ec.ECDSA:
    """RFC 6979 where the OpenSSL below can do it (3.2 and later); else a random k, which is as valid."""
    try:
        return ec.ECDSA(_DIGEST, deterministic_signing=True)
    except UnsupportedAlgorithm:
        return ec.ECDSA(_DIGEST)
