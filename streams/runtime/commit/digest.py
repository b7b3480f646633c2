"""Digests of what a batch read and sent: columns of bytes joined and hashed at once, whatever the number of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

import numpy as np

from tradewind.schemas.codec.batch import ABSENT
from tradewind.streams.runtime.commit.fingerprint import fingerprints
from tradewind.streams.runtime.commit.outbox import Outgoing
from tradewind.streams.runtime.read.records import Records

DIGEST_BYTES = 16  # 128 bits: no two of 10^15 batches share one by chance
LONG, INT, WORDS = np.dtype("<i8"), np.dtype("<i4"), np.dtype("<u8")
BLOCK_RECORDS = 1_000  # some 300 KB of outputs, hashed while they are in the processor's cache
WORD = 1 << 64


@dataclass(frozen=True, slots=True)
class Digest:
    """What a range of records was."""

    digest: bytes
    """Of offsets, timestamps (ms), keys, values and headers, in order."""
    sum: int
    """Of the records' fingerprints, mod 2^64, signed."""
    moment: int
    """Of fingerprints times places, from 0 on, mod 2^64, signed."""

    def place_of_change(self, found: Digest, count: int) -> int | None:
        """Return the place of the only record that differs from the recorded one; None if it cannot be identified.

        A record that changed by d at place i changes the sum by d and the moment by i d.
        """
        changed, moved = (found.sum - self.sum) % WORD, (found.moment - self.moment) % WORD
        if not changed:
            return None
        places = np.flatnonzero(np.arange(count, dtype=np.uint64) * np.uint64(changed) == np.uint64(moved))
        return int(places[0]) if len(places) == 1 else None


def digest_of_records(records: Records) -> Digest:
    """Return the digest of records as they were read."""
    prints = fingerprints(records)
    moment = (prints * np.arange(len(prints), dtype=np.uint64)).sum(dtype=np.uint64)
    hashed = blake2b(prints.astype(WORDS, copy=False).tobytes(), digest_size=DIGEST_BYTES)
    return Digest(hashed.digest(), *(int(each.view(np.int64)) for each in (prints.sum(dtype=np.uint64), moment)))


def digest_of_outputs(messages: Sequence[Outgoing], namespace: str) -> bytes:
    """Return the digest of records to be sent, in order; the namespace that begins their topics' names is no part."""
    hashed = blake2b(digest_size=DIGEST_BYTES)
    for at in range(0, len(messages), BLOCK_RECORDS):
        _hash_outputs(hashed, messages[at : at + BLOCK_RECORDS], namespace)
    return hashed.digest()


def _hash_outputs(hashed: blake2b, messages: Sequence[Outgoing], namespace: str) -> None:
    topics, partitions, keys, values, timestamps, _, _ = zip(*messages, strict=True)
    count = len(messages)
    number = {name: at for at, name in enumerate(dict.fromkeys(topics))}
    hashed.update(np.array([count, len(number)], LONG).tobytes())
    for part in _lengths_and_bytes([name.removeprefix(namespace).encode() for name in number]):
        hashed.update(part)
    hashed.update(np.fromiter(map(number.__getitem__, topics), INT, count).tobytes())
    hashed.update(np.fromiter(partitions, INT, count).tobytes())
    hashed.update(np.fromiter(timestamps, LONG, count).tobytes())
    for column in (keys, values):
        for part in _lengths_and_bytes(column):
            hashed.update(part)


def _lengths_and_bytes(column: Sequence[bytes | None]) -> tuple[bytes, bytes]:
    """Return a column as its lengths and its bytes: together they are of no other column."""
    present = cast("Sequence[bytes]", column)
    try:
        return np.fromiter(map(len, present), INT, len(present)).tobytes(), b"".join(present)
    except TypeError:  # one of them is None
        lengths = np.fromiter((ABSENT if part is None else len(part) for part in column), INT, len(column))
        return lengths.tobytes(), b"".join(part for part in column if part is not None)
