"""The seal of a stored key: AES-256-GCM, bound to the tenant and the id that the key was stored under."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from tradewind.connectors.ai.keys.master import master_bytes

NONCE_BYTES = 12
"""Random for each seal: a master key may seal four thousand million keys before two nonces are likely to be equal."""
PURPOSE = "tradewind ai key 1"


class BrokenSeal(RuntimeError):
    """A stored key is not what was stored, or was stored under another master key; the message says which."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A key under its seal."""

    master_id: str
    """Which master key opens it: tells nothing of that key."""
    nonce: bytes
    box: bytes


class Master:
    """The master key."""

    def __init__(self, secret: SecretStr) -> None:
        """Take the master key from its text. Raises `BadMasterKey`."""
        self._key = master_bytes(secret.get_secret_value())
        self.id = sha256(PURPOSE.encode() + self._key).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Master({self.id})"

    def seal(self, key: str, tenant_id: str, key_id: str) -> Sealed:
        """Return a key under a seal of its own."""
        nonce = os.urandom(NONCE_BYTES)
        return Sealed(self.id, nonce, AESGCM(self._key).encrypt(nonce, key.encode(), _bound(tenant_id, key_id)))

    def opened(self, sealed: Sealed, tenant_id: str, key_id: str) -> str:
        """Return the key under a seal. Raises `BrokenSeal`."""
        if sealed.master_id != self.id:
            raise BrokenSeal("it was stored under another master key: use that one, or add the key again")
        try:
            return AESGCM(self._key).decrypt(sealed.nonce, sealed.box, _bound(tenant_id, key_id)).decode()
        except (InvalidTag, ValueError):
            raise BrokenSeal("its row in the table ai_keys was changed or moved: add the key again") from None


def _bound(tenant_id: str, key_id: str) -> bytes:
    """Return what the seal is bound to: a row that was moved to another tenant or id does not open."""
    return "\x00".join((PURPOSE, tenant_id, key_id.lower())).encode()
