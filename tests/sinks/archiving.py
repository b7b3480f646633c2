"""What tests of the archive share: records of a partition, files of them, and the sink without Kafka."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from confluent_kafka import Message

from tradewind.connectors.archive.files import Facts, encoded, locked, publish, write_draft
from tradewind.connectors.archive.names import ArchiveFile
from tradewind.connectors.archive.reading import frames
from tradewind.connectors.archive.records import Digest, digest_of, frame_of
from tradewind.connectors.settings import ArchiveSettings, Settings
from tradewind.schemas.codec.wire import frame
from tradewind.topics import TICKS

DAY_MS = 86_400_000
MONDAY_MS = 20_000 * DAY_MS
MONDAY = "2024-10-04"
TOPIC = TICKS.name
SCHEMA = '"string"'
SCHEMAS: Mapping[str, str] = {"7": SCHEMA}


def message(offset: int, ms: int = MONDAY_MS, *, value: bytes | None = None, partition: int = 0) -> Message:
    """Make a record; every fifth is a tombstone without a key, and every third has headers."""
    odd = offset % 5 == 4 and value is None
    return Message(
        topic=TOPIC,
        partition=partition,
        offset=offset,
        key=None if odd else b"EURUSD.OANDA",
        value=None if odd else value or frame(7) + b"%d" % offset,
        timestamp=(1, ms + offset),
        headers=[("traceparent", b"%d" % offset), ("empty", None)] if offset % 3 == 0 else None,
    )


def messages(first: int, last: int, ms: int = MONDAY_MS) -> list[Message]:
    """Make the records of some offsets."""
    return [message(offset, ms) for offset in range(first, last + 1)]


def settings_for(folder: Path, **archive: object) -> Settings:
    """Return settings whose archive is in a folder."""
    return Settings(_env_file=None, data=folder, archive=ArchiveSettings(folder=folder / "archive", **archive))


def write(
    folder: Path,
    records: Sequence[Message],
    day: str = MONDAY,
    begin: int | None = None,
    partition: int = 0,
    schemas: Mapping[str, str] = SCHEMAS,
) -> ArchiveFile:
    """Write a file, as the sink does."""
    rows = frame_of(records)
    first, last = int(rows["offset"][0]), int(rows["offset"][-1])
    file = ArchiveFile(folder, TOPIC, day, partition, first, last)
    found = digest_of([rows])
    with locked(folder, TOPIC):
        write_draft(
            file.draft,
            encoded(
                rows,
                Facts(
                    topic=TOPIC,
                    partition=partition,
                    begin=first if begin is None else begin,
                    next=last + 1,
                    count=found.count,
                    digest=found.hex(),
                    bytes=1,
                    schemas=schemas,
                ),
            ),
        )
        publish(file.draft, file)
    return file


def archived(folder: Path, topic: str = TOPIC, partition: int = 0) -> Digest:
    """Return what a reader finds of a partition."""
    return digest_of(frames(folder, topic, partition))


def offsets(folder: Path, topic: str = TOPIC, partition: int = 0) -> list[int]:
    """Return the offsets that a reader finds."""
    return [offset for rows in frames(folder, topic, partition) for offset in rows["offset"].to_list()]


def expected(*runs: Sequence[Message]) -> Digest:
    """Return the digest of records."""
    return digest_of([pl.concat([frame_of(run) for run in runs])])
