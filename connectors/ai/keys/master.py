"""The text of a master key, which the settings hold."""

from __future__ import annotations

import base64
import binascii
import os

from pydantic import SecretStr

MASTER_BYTES = 32
HOW = "32 random bytes in base64, such as those of `openssl rand -base64 32`"


class BadMasterKey(ValueError):
    """The master key cannot be one; the message says what it must be, and nothing of what it is."""


def master_bytes(text: str) -> bytes:
    """Return a master key as bytes. Raises `BadMasterKey`."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BadMasterKey(f"a master key is {HOW}") from None
    if len(found) != MASTER_BYTES:
        raise BadMasterKey(f"a master key is {HOW}, and this one has {len(found)} bytes")
    return found


def any_master_key() -> SecretStr:
    """Return a master key that opens nothing: to list and remove keys, none is needed."""
    return SecretStr(base64.b64encode(os.urandom(MASTER_BYTES)).decode())
