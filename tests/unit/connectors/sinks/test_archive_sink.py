"""The archive sink: what becomes a file when, and what happens where it cannot."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from confluent_kafka import Message
from sinks.archiving import (
    DAY_MS,
    MONDAY,
    MONDAY_MS,
    SCHEMA,
    TOPIC,
    archived,
    expected,
    messages,
    offsets,
    settings_for,
)

from tradewind.connectors.archive import listed
from tradewind.connectors.archive.files import facts_of
from tradewind.connectors.registry import UnknownSchema
from tradewind.connectors.settings import Settings
from tradewind.connectors.sinks.archive import sink as module
from tradewind.connectors.sinks.archive.sink import ArchiveSink, Cuts
from tradewind.connectors.sinks.sink import Batch, OwnerFenced, StoreUnavailable
from tradewind.topics import TICKS

ORIGIN = (TOPIC, 0)
LARGE = Cuts()


@pytest.fixture(autouse=True)
def ids(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give the ids that Kafka says topics have."""
    found = {TOPIC: "one"}
    monkeypatch.setattr(module, "topic_ids", lambda _settings, _names: found)
    return found


def schema(schema_id: int) -> str:
    """Return the schema of an id."""
    if schema_id != 7:
        raise UnknownSchema(str(schema_id))
    return SCHEMA


def opened(settings: Settings, cuts: Cuts = LARGE) -> ArchiveSink:
    """Return a sink that owns partition 0."""
    sink = ArchiveSink(settings, (TICKS,), cuts, schema)
    asyncio.run(sink.open())
    asyncio.run(sink.claim([ORIGIN]))
    return sink


def batch(records: Sequence[Message], next_offset: int | None = None, begin: int | None = None) -> Batch:
    """Return records as a batch."""
    first, last = records[0].offset(), records[-1].offset()
    after = last + 1 if next_offset is None else next_offset
    return Batch(TICKS, 0, None, after, 1, first if begin is None else begin, records)


def files(settings: Settings) -> list[tuple[str, int, int]]:
    """Return day, first and last offset of each file."""
    listing = listed(settings.archive_folder, TOPIC).get(0)
    return [] if listing is None else [(file.day, file.first, file.last) for file in listing.files]


def test_records_are_gathered_until_the_file_is_large_enough(tmp_path: Path) -> None:
    """And what is left at the end becomes a file, too."""
    settings = settings_for(tmp_path)
    sink = opened(settings, Cuts(file_bytes=400))
    for first in range(0, 60, 10):
        asyncio.run(sink.write(batch(messages(first, first + 9))))
    assert files(settings) == [(MONDAY, 0, 29), (MONDAY, 30, 59)]
    asyncio.run(sink.write(batch(messages(60, 61))))
    asyncio.run(sink.close())
    assert archived(settings.archive_folder).hex() == expected(messages(0, 61)).hex()
    assert asyncio.run(opened(settings).claim([ORIGIN]))[ORIGIN].next_offset == 62


def test_a_file_ends_before_a_record_of_a_later_day(tmp_path: Path) -> None:
    """A record that comes late stays among those of the later day, so that files are few."""
    settings = settings_for(tmp_path)
    sink = opened(settings)
    days = [0, 0, 1, 0, 1, 2]
    records = [messages(at, at, MONDAY_MS + day * DAY_MS)[0] for at, day in enumerate(days)]
    asyncio.run(sink.write(batch(records)))
    asyncio.run(sink.close())
    assert files(settings) == [(MONDAY, 0, 1), ("2024-10-05", 2, 4), ("2024-10-06", 5, 5)]


def test_the_largest_becomes_a_file_when_memory_is_full(tmp_path: Path) -> None:
    """Whichever partition the batch is of."""
    settings = settings_for(tmp_path)
    sink = ArchiveSink(settings, (TICKS,), Cuts(memory_bytes=300), schema)
    asyncio.run(sink.open())
    asyncio.run(sink.claim([(TOPIC, 0), (TOPIC, 1)]))
    asyncio.run(sink.write(batch(messages(0, 15))))
    assert files(settings) == []
    asyncio.run(sink.write(Batch(TICKS, 1, None, 8, 1, 0, messages(0, 7))))
    assert files(settings) == [(MONDAY, 0, 15)]


def test_what_has_waited_long_enough_becomes_a_file_though_nothing_follows(tmp_path: Path) -> None:
    """On a topic that has fallen silent."""
    settings = settings_for(tmp_path, file_s=0.001)
    sink = opened(settings)
    sink._file_s = 1000.0
    asyncio.run(sink.write(batch(messages(0, 3))))
    assert files(settings) == []
    sink._file_s = 0.0
    asyncio.run(sink.tend())
    assert files(settings) == [(MONDAY, 0, 3)]


def test_a_full_disk_holds_the_batch_and_nothing_is_doubled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same batch again is written once, when there is room."""
    settings = settings_for(tmp_path)
    sink = opened(settings, Cuts(file_bytes=1))
    real = os.fsync

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    later = [*messages(0, 3), *messages(4, 9, MONDAY_MS + DAY_MS)]  # the first file is due in the midst of the batch
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            asyncio.run(sink.write(batch(later)))
    assert files(settings) == []
    assert list(settings.archive_folder.glob("*/.*.*")) == []
    monkeypatch.setattr(os, "fsync", real)
    asyncio.run(sink.write(batch(later)))
    asyncio.run(sink.write(batch(later)))
    asyncio.run(sink.close())
    runs = (messages(0, 3), messages(4, 9, MONDAY_MS + DAY_MS))
    assert archived(settings.archive_folder).hex() == expected(*runs).hex()


@pytest.mark.parametrize("first_to_write", [0, 1])
def test_two_sinks_that_both_own_a_partition_write_each_record_once(tmp_path: Path, first_to_write: int) -> None:
    """The one that comes second is fenced, though it gathered before the other one claimed."""
    settings = settings_for(tmp_path)
    sinks = [opened(settings, Cuts(file_bytes=1)) for _ in range(2)]
    quick, slow = sinks[first_to_write], sinks[1 - first_to_write]
    slow._cuts = Cuts()
    asyncio.run(slow.write(batch(messages(0, 5))))
    asyncio.run(quick.write(batch(messages(0, 9))))
    slow._cuts = Cuts(file_bytes=1)
    with pytest.raises(OwnerFenced, match="another process has written"):
        asyncio.run(slow.write(batch(messages(6, 12))))
    with pytest.raises(OwnerFenced):
        asyncio.run(slow.write(batch(messages(13, 14))))
    assert asyncio.run(slow.claim([ORIGIN]))[ORIGIN].next_offset == 10
    asyncio.run(slow.write(batch(messages(10, 14))))
    assert offsets(settings.archive_folder) == list(range(15))


def test_a_claim_removes_what_a_killed_writer_left(tmp_path: Path) -> None:
    """A draft is no file."""
    settings = settings_for(tmp_path)
    (settings.archive_folder / TOPIC).mkdir(parents=True)
    draft = settings.archive_folder / TOPIC / ".0-0-99.4711"
    draft.write_bytes(b"half")
    opened(settings)
    assert not draft.exists()


def test_a_recreated_topic_is_not_mixed_with_the_one_before(tmp_path: Path, ids: dict[str, str]) -> None:
    """The sink holds, and says what to move; then it begins again."""
    settings = settings_for(tmp_path)
    sink = opened(settings, Cuts(file_bytes=1))
    asyncio.run(sink.write(batch(messages(0, 9))))
    ids[TOPIC] = "two"
    with pytest.raises(StoreUnavailable, match=r"deleted and created again.*Move the folder"):
        asyncio.run(sink.claim([ORIGIN]))
    (settings.archive_folder / TOPIC).rename(tmp_path / "old")
    assert asyncio.run(sink.claim([ORIGIN]))[ORIGIN].next_offset is None


def test_a_damaged_newest_file_holds_the_sink(tmp_path: Path) -> None:
    """Its position is not to be believed."""
    settings = settings_for(tmp_path)
    sink = opened(settings, Cuts(file_bytes=1))
    asyncio.run(sink.write(batch(messages(0, 9))))
    path = settings.archive_folder / TOPIC / MONDAY / "0-0-9.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(StoreUnavailable, match=r"0-0-9\.parquet"):
        asyncio.run(sink.claim([ORIGIN]))


def test_markers_of_transactions_count_as_read_and_what_retention_removed_does_not(tmp_path: Path) -> None:
    """The footer says from where to where all was read."""
    settings = settings_for(tmp_path)
    sink = opened(settings)
    asyncio.run(sink.write(batch(messages(0, 9), next_offset=12)))
    asyncio.run(sink.close())
    assert asyncio.run(sink.claim([ORIGIN]))[ORIGIN].next_offset == 12
    asyncio.run(sink.write(batch(messages(40, 41), begin=40)))
    asyncio.run(sink.close())
    found = [facts_of(file) for file in listed(settings.archive_folder, TOPIC)[0].files]
    assert [(one.begin, one.next) for one in found] == [(0, 12), (40, 42)]
