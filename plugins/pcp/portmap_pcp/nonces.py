"""The nonces of our mappings: they prove to the server that a mapping is ours (RFC 6887 §11.2 and §11.3).

A mapping has one nonce from its first request to its deletion: on every retransmission, renewal and deletion. The RFC
identifies a mapping by the server, the address that it leads to, the protocol and the internal port. A nonce is also
the token of a Grant, so that it is known after a restart; a token comes from a file and is checked.
"""

import re
from os import urandom
from typing import TypeAlias

from portmap.model import Address, Protocol
from portmap_pcp.packets import NONCE_LENGTH

Owner: TypeAlias = tuple[Address, Address, Protocol, int]
"""Server, the address that the mapping leads to, protocol and internal port."""

_TOKEN = rf"[0-9a-f]{{{2 * NONCE_LENGTH}}}"


class Nonces:
    """Every nonce that is in use."""

    def __init__(self) -> None:
        self._nonces: dict[Owner, bytes] = {}

    def of(self, owner: Owner, token: str) -> bytes:
        """The mapping's nonce: the one that it has, else the token's, else a new one.

        A token that another server or another address of ours knows already is not used again: §11.2.
        """
        if owner not in self._nonces:
            remembered = bytes.fromhex(token) if re.fullmatch(_TOKEN, token) else b""
            used = not remembered or remembered in self._nonces.values()
            self._nonces[owner] = urandom(NONCE_LENGTH) if used else remembered
        return self._nonces[owner]

    def forget(self, protocol: Protocol, internal_port: int) -> None:
        """The mapping was deleted: the next one will be another."""
        self._nonces = {owner: it for owner, it in self._nonces.items() if owner[2:] != (protocol, internal_port)}
