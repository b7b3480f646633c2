"""Digests of what a batch read and sent: columns of bytes joined and hashed at once, whatever the number of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import isqrt
from operator import mul
from typing import cast
from zlib import crc32

import numpy as np

from tradewind.streams.runtime.outbox import Outgoing
from tradewind.streams.runtime.records import Records

DIGEST_BYTES = 16  # 128 bits: no two of 10^15 batches share one by chance
NONE = -1
"""The length of a key or value that is not there."""
LONG, INT = np.dtype("<i8"), np.dtype("<i4")
BLOCK_RECORDS = 1_000  # some 300 KB of outputs, hashed while they are in the processor's cache
CHECKS = ("rows", "row_moment", "columns", "column_moment")
"""The names of a digest's check sums, in their order."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a range of records was."""

    digest: bytes
    """Of offsets, timestamps (ms), keys, values and headers, in order."""
    checks: tuple[int, int, int, int]
    """Of the values, laid out in a square: the sum of the rows' CRC-32, the same weighted by the row's number, and both
    of the columns. A value that changed changes one row and one column, whose numbers follow from the four: two
    passes over joined bytes tell what would take a check sum for each record, at a third of the time."""

    def place_of_change(self, found: Digest, count: int) -> int | None:
        """Return the place of the one value that differs from what was recorded; None where that cannot be told."""
        rows, row_moment, columns, column_moment = (
            now - then for then, now in zip(self.checks, found.checks, strict=True)
        )
        if rows == 0 or columns == 0 or row_moment % rows or column_moment % columns:
            return None
        side, row, column = _side(count), row_moment // rows, column_moment // columns
        place = row * side + column
        return place if 0 <= column < side and 0 <= place < count else None


def digest_of_records(records: Records) -> Digest:
    """Return the digest of records as they were read."""
    count, headers = len(records), records.headers
    if not count:
        return Digest(blake2b(digest_size=DIGEST_BYTES).digest(), (0, 0, 0, 0))
    hashed = blake2b(np.array([count], LONG).tobytes(), digest_size=DIGEST_BYTES)
    hashed.update(records.offsets.astype(LONG, copy=False).tobytes())
    hashed.update(records.timestamps.astype(LONG, copy=False).tobytes())
    values = records.values.parts()
    for column, parts in ((records.keys, records.keys.parts()), (records.values, values)):
        hashed.update(column.sizes.astype(INT).tobytes())
        hashed.update(b"".join(parts))
    for of_record in headers if headers is not None and any(headers) else ():
        hashed.update(np.array([len(of_record)], INT).tobytes())
        for name, value in of_record:
            for part in _lengths_and_bytes((name.encode(), value)):
                hashed.update(part)
    return Digest(hashed.digest(), _checks(values))


def _side(count: int) -> int:
    """Return the side of the smallest square that has room for all."""
    return isqrt(count - 1) + 1


def _checks(values: Sequence[bytes]) -> tuple[int, int, int, int]:
    side = _side(len(values))
    rows = [crc32(b"".join(values[at : at + side])) for at in range(0, len(values), side)]
    columns = [crc32(b"".join(values[at::side])) for at in range(side)]
    row_moment, column_moment = (sum(map(mul, sums, range(side))) for sums in (rows, columns))
    return sum(rows), row_moment, sum(columns), column_moment


def digest_of_outputs(messages: Sequence[Outgoing], namespace: str) -> bytes:
    """Return the digest of records to be sent, in order; the namespace that begins their topics' names is no part."""
    hashed = blake2b(digest_size=DIGEST_BYTES)
    for at in range(0, len(messages), BLOCK_RECORDS):
        _hash_outputs(hashed, messages[at : at + BLOCK_RECORDS], namespace)
    return hashed.digest()


def _hash_outputs(hashed: blake2b, messages: Sequence[Outgoing], namespace: str) -> None:
    topics, partitions, keys, values, timestamps, _ = zip(*messages, strict=True)
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
        lengths = np.fromiter((NONE if part is None else len(part) for part in column), INT, len(column))
        return lengths.tobytes(), b"".join(part for part in column if part is not None)
