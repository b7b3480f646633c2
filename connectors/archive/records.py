"""Records as rows, byte for byte, and their digest, which does not depend on how files are cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import polars as pl
from confluent_kafka import Message

from tradewind.schemas.codec import UndecodableRecord
from tradewind.schemas.codec.wire import FRAME_BYTES, framed_id

SCHEMA: dict[str, pl.DataType] = {
    "offset": pl.Int64(),
    "time": pl.Datetime("ms", "UTC"),
    "key": pl.Binary(),
    "value": pl.Binary(),
    "schema_id": pl.Int32(),
    "headers": pl.List(pl.Struct({"name": pl.String(), "value": pl.Binary()})),
}
"""Columns of a file. `value` is the whole value; `schema_id` is null if no Confluent frame begins it."""
DIGEST_BYTES = 16
NOTHING = -1
"""The length of a null in a digest."""
HASHED = (
    "offset", "time", "key lengths", "key bytes", "value lengths", "value bytes", "headers", "header lengths",
    "header bytes",
)  # fmt: skip


def frame_of(messages: Sequence[Message]) -> pl.DataFrame:
    """Return records of a partition as rows."""
    values = [message.value() for message in messages]
    headers = [message.headers() for message in messages]
    return pl.DataFrame(
        {
            "offset": np.fromiter((message.offset() for message in messages), np.int64, len(messages)),
            "time": np.fromiter((message.timestamp()[1] for message in messages), np.int64, len(messages)),
            "key": [message.key() for message in messages],
            "value": values,
            "schema_id": _schema_ids(values),
            "headers": [_structs(each) for each in headers] if any(headers) else [None] * len(messages),
        },
        schema=SCHEMA,
        strict=False,
    )


def _schema_ids(values: Sequence[bytes | None]) -> list[int | None]:
    frames = [None if value is None else value[:FRAME_BYTES] for value in values]
    known = {frame: _schema_id(frame) for frame in set(frames)}
    return [known[frame] for frame in frames]


def _schema_id(frame: bytes | None) -> int | None:
    try:
        found = None if frame is None else framed_id(frame)
    except UndecodableRecord:
        return None
    return found if found is not None and found < 2**31 else None


def _structs(headers: Iterable[tuple[str, bytes | None]] | None) -> list[dict[str, Any]] | None:
    return [{"name": name, "value": value} for name, value in headers] if headers else None


def headers_of(found: Sequence[dict[str, Any]] | None) -> list[tuple[str, bytes | None]]:
    """Return the headers of a row as Kafka's clients take them."""
    return [(one["name"], one["value"]) for one in found or ()]


class Digest:
    """Counts records, and digests them: offsets, times, keys, values and headers, each column in a hash of its own."""

    def __init__(self) -> None:
        self.count = 0
        self._hashes: defaultdict[str, Any] = defaultdict(lambda: blake2b(digest_size=DIGEST_BYTES))

    def add(self, frame: pl.DataFrame) -> None:
        """Add rows, in the order of their offsets."""
        self.count += frame.height
        for name in ("offset", "time"):
            self._hashes[name].update(frame[name].cast(pl.Int64).to_numpy().tobytes())
        for name in ("key", "value"):
            self._add_bytes(name, frame[name].to_list())
        headers = frame["headers"]
        if headers.null_count() == frame.height:
            self._hashes["headers"].update(np.zeros(frame.height, np.int64).tobytes())
            return
        pairs = [headers_of(each) for each in headers.to_list()]
        self._hashes["headers"].update(np.fromiter(map(len, pairs), np.int64, len(pairs)).tobytes())
        self._add_bytes("header", [part for each in pairs for name, value in each for part in (name.encode(), value)])

    def _add_bytes(self, column: str, values: Sequence[bytes | None]) -> None:
        lengths = np.fromiter((NOTHING if one is None else len(one) for one in values), np.int64, len(values))
        self._hashes[f"{column} lengths"].update(lengths.tobytes())
        self._hashes[f"{column} bytes"].update(b"".join(value for value in values if value))

    def hex(self) -> str:
        """Return the digest of what was added."""
        whole = blake2b(str(self.count).encode(), digest_size=DIGEST_BYTES)
        for name in HASHED:
            whole.update(self._hashes[name].digest())
        return str(whole.hexdigest())


def digest_of(frames: Iterable[pl.DataFrame]) -> Digest:
    """Return the digest of rows in parts."""
    digest = Digest()
    for frame in frames:
        digest.add(frame)
    return digest
