"""Batches as they were fetched give the records that aiokafka reads from them one by one, however they are packed."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException, UnsupportedVersionError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tradewind.streams.runtime.read.consumer_thread import ConsumerThread
from tradewind.streams.runtime.read.record_batches import FEW_RECORDS, HEADER, Fetched, FetchedBatches
from tradewind.streams.runtime.read.records import Record

MANY = FEW_RECORDS + 1
CRC_AT, CRC_END, ATTRIBUTES_AT = 17, 21, 21
some_bytes = st.none() | st.binary(max_size=9) | st.integers(0, 300).map(bytes)
headers = st.lists(st.tuples(st.text(max_size=3), some_bytes), max_size=2)
fields = st.tuples(st.integers(0, 2**40), some_bytes, some_bytes, headers | st.just([]))
batches = st.lists(
    st.tuples(st.lists(fields, min_size=1, max_size=6), st.sampled_from((0, 1, 2, 3, 4)), st.integers(1, 90)),
    min_size=1,
    max_size=4,
)
Fields = tuple[int, bytes | None, bytes | None, list[tuple[str, bytes | None]]]


def batch(records: Sequence[Fields], base: int, codec: int = 0, producer: int = -1) -> bytes:
    """Return a batch as a broker sends it; one with a producer is transactional."""
    builder = DefaultRecordBatchBuilder(2, codec, int(producer >= 0), producer, 0, 0, 1 << 24)
    for at, (timestamp, key, value, with_headers) in enumerate(records):
        builder.append(at, timestamp, key, value, with_headers)
    built = bytearray(builder.build())
    built[:8] = base.to_bytes(8, "big")  # no part of what the CRC is of
    return bytes(built)


def sealed(data: bytearray) -> bytes:
    """Return a batch with the CRC that it ought to have."""
    data[CRC_AT:CRC_END] = calc_crc32c(bytes(data[ATTRIBUTES_AT:])).to_bytes(4, "big")
    return bytes(data)


def parsed(data: bytes, position: int, aborted: Sequence[tuple[int, int]] = (), kind: Any = FetchedBatches) -> Any:
    """Return what aiokafka's fetcher makes of an answer."""
    where = TopicPartition("ticks", 0)
    return PartitionRecords(where, kind(data), list(aborted), position, None, None, True, READ_COMMITTED)


def one_by_one(data: bytes, position: int, aborted: Sequence[tuple[int, int]] = ()) -> tuple[list[Any], int]:
    """Return records as aiokafka reads them, and where they end."""
    fetched = parsed(data, position, aborted, MemoryRecords)
    records = [
        (each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
        for each in fetched  # a consumer's records
    ]
    return records, fetched.next_fetch_offset


def plain(record: Record) -> tuple[Any, ...]:
    """Return what a record says."""
    return record.offset, record.timestamp, record.key, record.value, tuple(record.headers)


def taken(fetched: Fetched, limit: int) -> list[Any]:
    """Take all that was fetched, chunk by chunk; no chunk has more than the limit, and positions follow the records."""
    records = []
    while not fetched.exhausted:
        chunk = fetched.take(limit)
        assert len(chunk) <= limit
        records += [plain(record) for record in chunk]
        assert not records or fetched.next_fetch_offset > records[-1][0]
    return records


def repeated(drawn: Sequence[tuple[list[Fields], int, int]]) -> bytes:
    """Return batches one after the other, each with a gap of offsets behind it, as compaction leaves them."""
    data, base = [], 0
    for records, codec, times in drawn:
        data.append(batch(records * times, base, codec))
        base += len(records) * times + 1
    return b"".join(data)


@settings(deadline=None)
@given(batches, st.data())
def test_records_are_those_that_are_read_one_by_one(drawn: list[tuple[list[Fields], int, int]], data: Any) -> None:
    """From any position in the first batch, packed or not, with or without headers, few or many, in any chunks."""
    raw = repeated(drawn)
    first, _, times = drawn[0]
    position = data.draw(st.integers(0, len(first) * times - 1))
    expected, end = one_by_one(raw, position)
    fetched = Fetched(parsed(raw, position))
    assert taken(fetched, data.draw(st.sampled_from((1, 7, 5000)) if len(expected) < 99 else st.just(97))) == expected
    assert fetched.next_fetch_offset == end


@pytest.mark.parametrize("size", [30, 31, 8_000, 9_000, 70_000])
def test_records_of_any_length_are_found(size: int) -> None:
    """The length before a record takes one, two, three bytes or more."""
    raw = batch([(1, b"k", bytes(size), [])] * MANY, 0)
    expected, _ = one_by_one(raw, 0)
    assert taken(Fetched(parsed(raw, 0)), 5000) == expected
    assert len(expected) == MANY


def test_what_was_aborted_is_left_out_and_markers_only_move_the_position() -> None:
    """Transactions are read by aiokafka as ever."""
    one: Fields = (1, b"k", b"v", [])
    abort = batch([(1, b"\0\0\0\0", b"\0\0\0\0\0\0", [])], 2 * MANY, producer=7)
    control = bytearray(abort)
    control[ATTRIBUTES_AT + 1] |= 0x20
    raw = batch([one] * MANY, 0) + batch([one] * MANY, MANY, producer=7) + sealed(control)
    raw += batch([one] * MANY, 2 * MANY + 1, producer=7)
    expected, end = one_by_one(raw, 0, [(7, MANY)])
    assert [record[0] for record in expected] == [*range(MANY), *range(2 * MANY + 1, 3 * MANY + 1)]
    fetched = Fetched(parsed(raw, 0, [(7, MANY)]))
    assert taken(fetched, 5000) == expected
    assert fetched.next_fetch_offset == end
    only = Fetched(parsed(sealed(control), 2 * MANY))
    assert taken(only, 5000) == []
    assert only.next_fetch_offset == 2 * MANY + 1


def test_a_broker_s_own_time_is_that_of_all_records_of_a_batch() -> None:
    """A topic that is set to log append time has one timestamp for a batch, in its header."""
    raw = bytearray(batch([(at, b"k", b"v", []) for at in range(MANY)], 0))
    raw[ATTRIBUTES_AT + 1] |= 0x08
    expected, _ = one_by_one(sealed(raw), 0)
    assert {record[1] for record in expected} == {MANY - 1}
    assert taken(Fetched(parsed(sealed(raw), 0)), 5000) == expected


def test_batches_of_an_older_format_are_refused() -> None:
    """No transactional producer writes them; the error says what they are."""
    builder = LegacyRecordBatchBuilder(1, 0, 1 << 20)
    builder.append(0, timestamp=0, key=b"k", value=b"v")
    with pytest.raises(UnsupportedVersionError, match=r"a batch of version 1, .* Write the topic again"):
        taken(Fetched(parsed(bytes(builder.build()), 0)), 5000)


def test_a_wrong_crc_is_refused() -> None:
    """What was damaged is never read: the worker stops, and its successor reads it again."""
    raw = bytearray(batch([(1, b"k", b"v", [])] * MANY, 0))
    raw[-3] ^= 1
    with pytest.raises(CorruptRecordException, match="CRC"):
        taken(Fetched(parsed(bytes(raw), 0)), 5000)


@settings(deadline=None)
@given(st.integers(HEADER.size, 1_000), st.integers(1, 255))
@example(at=64, change=1)  # the first record's offset is one less than the batch's
def test_a_batch_that_contradicts_itself_is_refused_or_read_as_it_says(at: int, change: int) -> None:
    """Any byte of the records may be another, with a CRC to match: no record reaches into the next.

    An offset below the position is left out, as aiokafka does, so that the position is far below any.
    """
    records: list[Fields] = [(at, b"key", b"value" * 4, [("a", b"1")] if at % 2 else []) for at in range(MANY)]
    raw = bytearray(batch(records, 100_000))
    raw[at] ^= change
    try:
        found = taken(Fetched(parsed(sealed(raw), 0)), 5000)
    except CorruptRecordException:
        return
    assert len(found) == MANY
    whole = sum(len(key or b"") + len(value or b"") for _, _, key, value, _ in found)
    assert whole <= len(raw)


def test_a_header_s_count_that_is_wrong_is_refused() -> None:
    """The batch says how many records it has."""
    raw = bytearray(batch([(1, b"k", b"v", [])] * MANY, 0))
    raw[57:61] = (MANY + 1).to_bytes(4, "big")
    with pytest.raises(CorruptRecordException, match="records, where its header says"):
        taken(Fetched(parsed(sealed(raw), 0)), 5000)


def test_what_cannot_be_read_is_not_taken_again() -> None:
    """The library's position is past it by then: taken again, it would be left out without a word."""
    good, bad = batch([(1, b"k", b"v", [])] * 3, 0), bytearray(batch([(1, b"k", b"v", [])] * 3, 3))
    bad[-3] ^= 1
    where = TopicPartition("ticks", 0)
    position = SimpleNamespace(position=0, paused=False, consumed_to=lambda offset: None)
    assignment = SimpleNamespace(active=True, state_value=lambda tp: position)
    fetched = FetchResult(where, assignment=assignment, partition_records=parsed(good + bytes(bad), 0), backoff=0)
    fetcher = SimpleNamespace(_records={where: fetched})
    reader = SimpleNamespace(app=SimpleNamespace(chunk_records=5_000))
    with pytest.raises(CorruptRecordException):
        ConsumerThread._records(reader, fetcher, where, fetched)  # type: ignore[arg-type]
    assert fetcher._records == {}
    assert position.position == 0


def test_others_who_read_through_the_same_library_read_records() -> None:
    """The fetcher of every consumer in the process gets these batches; only ours asks for blocks."""
    raw = batch([(1, b"k", b"v", [])] * 3, 0)
    assert [each.offset for each in parsed(raw, 0)] == [0, 1, 2]
