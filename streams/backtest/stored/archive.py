"""Copy the quotes of a range from the archive of the topic of ticks. It needs no service: files hold their schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import polars as pl
from confluent_kafka import Message

from tradewind.connectors.archive.errors import DamagedFile
from tradewind.connectors.archive.files import facts_of
from tradewind.connectors.archive.names import Listing, chosen, listed
from tradewind.connectors.archive.reading import frames
from tradewind.connectors.feeds.files.spool import Spool
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import MODELS, Codec
from tradewind.schemas.codec.wire import ID_LIMIT
from tradewind.streams.backtest.stored.kafka import copy_records
from tradewind.streams.backtest.ticks import Range
from tradewind.topics import TICKS

BATCH: Final = 5_000  # records: some MB of messages
CREATE_TIME: Final = 1


def copy_archive(settings: Settings, within: Range, spool: Spool) -> list[str]:
    """Copy the quotes of a range to a spool; return what a reader of the result must know of the files.

    Raises `ArchiveError`, and `Gone` if the files do not reach back to the beginning of the range.
    """
    folder, topic = settings.archive_folder.absolute(), settings.physical(TICKS)
    chosen(folder, [topic], "")
    listings = listed(folder, topic)
    codec = _codec(listings)
    firsts = {partition: listing.files[0].first for partition, listing in listings.items()}
    notes = copy_records(topic, firsts, _batches(folder, topic, listings), codec, within, spool)
    return [*_holes(listings), *notes]


def _batches(folder: Path, topic: str, partitions: Mapping[int, Listing]) -> Iterator[Sequence[Message]]:
    for partition in partitions:
        for frame in frames(folder, topic, partition):
            columns = frame.select("offset", pl.col("time").to_physical(), "key", "value")
            for rows in columns.iter_slices(BATCH):
                yield [
                    Message(
                        topic=topic,
                        partition=partition,
                        offset=offset,
                        key=key,
                        value=value,
                        headers=None,
                        timestamp=(CREATE_TIME, ms),
                    )
                    for offset, ms, key, value in rows.iter_rows()
                ]


def _codec(listings: Mapping[int, Listing]) -> Codec:
    """Return a codec that knows the schemas of the files, by the ids that they have there."""
    texts: dict[int, str] = {}
    for listing in listings.values():
        for file in listing.files:
            for number, text in facts_of(file).schemas.items():
                if texts.setdefault(int(number), text) != text:
                    raise DamagedFile(f"schema {number} of {file} is another one than in earlier files: move one away")
    unused = (number for number in range(ID_LIMIT - 1, 0, -1) if number not in texts)
    return Codec(dict(zip(MODELS, unused, strict=False)), texts.__getitem__)


def _holes(listings: Mapping[int, Listing]) -> list[str]:
    """Return what is missing between files."""
    found = []
    for partition, listing in listings.items():
        for before, after in pairwise(listing.files):
            begin, end = facts_of(before).next, facts_of(after).begin
            if end > begin:
                found.append(f"offsets {begin:,} to {end - 1:,} of {after.topic}/{partition} are in no file")
    return found
