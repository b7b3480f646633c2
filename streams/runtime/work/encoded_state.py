"""The committed state of a task as bytes, with its digest, kept up commit by commit and never walked over for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from struct import Struct

from tradewind.streams.runtime.commit.digest import DIGEST_BYTES

MODULUS = 1 << 8 * DIGEST_BYTES
_LENGTH = Struct("<I")
_pack = _LENGTH.pack


class EncodedState:
    """Keys and values as the changelog has them.

    The digest is the sum of the hashes of all (key, value), modulo 2^128: it does not depend on the order in which they
    came, and a change costs two hashes. The bytes are kept because the hash of an old value is needed to take it away,
    and because a schema that has changed meanwhile would encode that value to others.
    """

    def __init__(self, values: Mapping[str, bytes] | None = None) -> None:
        self._values = dict(values or {})
        self._sum = sum(map(_hash, self._values, self._values.values())) % MODULUS
        self.size = sum(len(key) + len(value) for key, value in self._values.items())
        """Bytes of all keys and values that are committed."""
        self._changes: dict[str, bytes | None] = {}
        self._sum_staged = self._sum

    @property
    def digest(self) -> bytes:
        """The digest of what is committed, 16 bytes."""
        return self._sum.to_bytes(DIGEST_BYTES, "big")

    def stage(self, changes: Iterable[tuple[str, bytes | None]]) -> bytes:
        """Take the changes of a batch, None for what it deleted; return the digest as it will be once they commit."""
        self._changes = dict(changes)
        self._sum_staged = self._sum_after()
        return self._sum_staged.to_bytes(DIGEST_BYTES, "big")

    def _sum_after(self) -> int:
        total, known = self._sum, self._values
        for key, value in self._changes.items():
            before = known.get(key)
            if before is not None:
                total -= _hash(key, before)
            if value is not None:
                total += _hash(key, value)
        return total % MODULUS

    def keep(self) -> None:
        """Make the staged changes the committed state."""
        self._sum = self._sum_staged
        for key, value in self._changes.items():
            before = self._values.pop(key, None)
            self.size -= 0 if before is None else len(key) + len(before)
            if value is not None:
                self._values[key] = value
                self.size += len(key) + len(value)
        self._changes = {}

    def drop(self) -> None:
        """Forget the staged changes."""
        self._changes, self._sum_staged = {}, self._sum

    def dump(self) -> bytes:
        """Return what is committed as bytes: each key and value after its length, sorted by key."""
        return b"".join(
            part
            for key, value in sorted(self._values.items())
            for part in (_LENGTH.pack(len(key.encode())), key.encode(), _LENGTH.pack(len(value)), value)
        )

    def __len__(self) -> int:
        """How many values are committed."""
        return len(self._values)


def load(data: bytes) -> dict[str, bytes]:
    """Return the keys and values of a dump; raises `ValueError` where the bytes are none."""
    parts = list(_parts(data))
    if len(parts) % 2:
        raise ValueError("a key without a value")
    return {key.decode(): value for key, value in zip(parts[::2], parts[1::2], strict=True)}


def _parts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise ValueError("it ends in a length")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise ValueError("it ends in a key or value")
        yield data[at : at + length]
        at += length


def _hash(key: str, value: bytes) -> int:
    name = key.encode()
    whole = _pack(len(name)) + name + value
    return int.from_bytes(blake2b(whole, digest_size=DIGEST_BYTES).digest(), "big")
