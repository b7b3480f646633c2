"""Kafka's record batches, as they were fetched, to records as columns.

aiokafka finds the batches, checks their CRC, and leaves out markers and what was aborted; the records in them are read
here, all at once. The lengths that stand before the records are followed one by one, and everything else is read
field by field over all of them (format: Kafka's protocol guide, "Record Batch", version 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from struct import Struct
from typing import Any, Final

import numpy as np
from aiokafka.codec import gzip_decode, lz4_decode, snappy_decode, zstd_decode
from aiokafka.errors import CorruptRecordException, UnsupportedVersionError
from aiokafka.record.memory_records import MemoryRecords

from tradewind.schemas.codec.batch import ABSENT, SLACK_BYTES, Joined
from tradewind.schemas.codec.errors import UndecodableRecord
from tradewind.schemas.codec.wire import read_long
from tradewind.schemas.codec.words import Flags, Longs, Octets, Words, read_varints, unzigzag, words_of
from tradewind.streams.runtime.read.records import Headers, Record, Records

HEADER: Final = Struct(">qiibIhiqqqhii")
"""Base offset, length of what follows, leader epoch, version, CRC, attributes, last offset's delta, first and largest
timestamp, producer's id and epoch, base sequence, count of records."""
LENGTH_AT: Final = 8
LENGTH_END: Final = 12  # what the length counts begins here
VERSION_AT: Final = 16
VERSION: Final = 2  # of the format, since 2017
CODEC_BITS, APPEND_TIME_BIT = 0b111, 0b1000  # of the attributes
FEW_RECORDS: Final = 48  # up to here reading them one by one takes no longer
OF_RECORD: Final = -1  # instead of an append time
MORE, LOW = 0x80, 0x7F
DECODERS: Final[dict[int, Callable[[bytes], bytes]]] = {
    1: gzip_decode,
    2: snappy_decode,
    3: lz4_decode,
    4: zstd_decode,
}


@dataclass(frozen=True, slots=True)
class Block:
    """The records of one batch, not read yet."""

    batch: Any
    """aiokafka's."""
    offset: int
    """The last of the batch, whose record may be compacted away."""
    count: int
    """How many records it has."""
    base_offset: int
    base_timestamp: int
    """ms since 1970."""
    append_time: int
    """Of all records, ms since 1970, or `OF_RECORD`."""
    codec: int
    packed: bytes
    """The bytes of the records."""

    @classmethod
    def of(cls, batch: Any, data: bytes) -> Block:
        """Return the records of aiokafka's batch, which was read from this data."""
        if data[VERSION_AT] < VERSION:
            raise UnsupportedVersionError(
                f"a batch of version {data[VERSION_AT]}, from a client older than Kafka 0.11: it has neither "
                "transactions nor headers. Write the topic again with a newer client"
            )
        last = int(batch.next_offset) - 1
        base, _, _, _, _, attributes, _, first, largest, _, _, _, count = HEADER.unpack_from(data)
        append_time = largest if attributes & APPEND_TIME_BIT else OF_RECORD
        return cls(batch, last, count, base, first, append_time, attributes & CODEC_BITS, data[HEADER.size :])

    def unpacked(self) -> bytes:
        """Return the bytes of the records."""
        return self.packed if self.codec == 0 else DECODERS[self.codec](self.packed)


class FetchedBatches(MemoryRecords):  # type: ignore[misc]
    """What aiokafka goes through batch by batch, each of which may be had as a block instead of by records."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.as_blocks = False
        self._data = data
        self._at = 0

    def next_batch(self) -> Any:
        """Return the next batch, or None; raises `UnsupportedVersionError`."""
        batch, first = super().next_batch(), self._at
        if batch is None:
            return None
        self._at = first + LENGTH_END + int.from_bytes(self._data[first + LENGTH_AT : first + LENGTH_END], "big")
        return _Whole(batch, Block.of(batch, self._data[first : self._at])) if self.as_blocks else batch


class _Whole:
    """A batch whose one record is the block of all that it has."""

    def __init__(self, batch: Any, block: Block) -> None:
        self.producer_id = batch.producer_id
        self.base_offset = batch.base_offset
        self.next_offset = batch.next_offset
        self.is_control_batch = batch.is_control_batch
        self.is_transactional = batch.is_transactional
        self._block = block

    def validate_crc(self) -> bool:
        return bool(self._block.batch.validate_crc())

    def __next__(self) -> Any:
        """Return the marker of a control batch."""
        return next(self._block.batch)

    def __iter__(self) -> Iterator[Block]:
        return iter((self._block,))


class Fetched:
    """What was fetched of one partition, from a position on, to be taken a chunk at a time.

    Stands in aiokafka's `FetchResult` where its own records stood, and keeps `next_fetch_offset` as those do.
    """

    def __init__(self, parsed: Any) -> None:
        """Read aiokafka's `PartitionRecords`, of which nothing has been read, by blocks."""
        parsed._records.as_blocks = True
        parsed._consumer_record = _as_it_is
        self._parsed = parsed
        self._rest: Records | None = None
        self.next_fetch_offset: int = parsed.next_fetch_offset
        self.exhausted = False
        self._ended = False

    def take(self, limit: int) -> Records:
        """Return the next records, no more than the limit; none where only markers and aborted ones are left.

        Raises `CorruptRecordException`, and `UnsupportedVersionError` for versions 1 and 0; take no more then.
        """
        rest = self._rest
        if rest is None or not len(rest):
            rest = self._read(limit)
        taken, self._rest = rest[:limit], rest[limit:]
        if len(self._rest):
            self.next_fetch_offset = int(taken.offsets[-1]) + 1
        else:
            self.next_fetch_offset = self._parsed.next_fetch_offset
            self.exhausted = self._ended
        return taken

    def _read(self, limit: int) -> Records:
        blocks, count = [], 0
        for block in self._parsed:
            blocks.append(block)
            count += block.count
            if count >= limit:
                break
        self._ended = count < limit
        records = read(blocks)
        return records[int(np.searchsorted(records.offsets, self.next_fetch_offset)) :]


def _as_it_is(tp: Any, block: Block) -> Block:  # noqa: ARG001 - aiokafka's signature
    return block


def read(blocks: Sequence[Block]) -> Records:
    """Return the records of blocks, in order; raises `CorruptRecordException`."""
    counts = [block.count for block in blocks]
    if sum(counts) <= FEW_RECORDS:
        parsed: list[Record] = list(chain.from_iterable(block.batch for block in blocks))
        return Records.of(parsed)
    parts = [block.unpacked() for block in blocks]
    begins: list[int] = []
    ahead = 0
    for part, count in zip(parts, counts, strict=True):
        before = len(begins)
        _walk(part, ahead, begins)
        if len(begins) - before != count:
            raise CorruptRecordException(f"a batch of {len(begins) - before} records, where its header says {count}")
        ahead += len(part)
    data = b"".join([*parts, bytes(SLACK_BYTES)])
    bases = [(block.base_offset, block.base_timestamp, block.append_time) for block in blocks]
    offsets, stamps, appended = np.repeat(np.array(bases, np.int64).T, counts, axis=1)
    return _Fields(data, np.array(begins, np.int64)).records(offsets, stamps, appended)


def _walk(part: bytes, ahead: int, begins: list[int]) -> None:
    """Add where each record begins, counted from `ahead`; raises `CorruptRecordException` where the last has no end."""
    at, end = 0, len(part)
    try:
        while at < end:
            begins.append(ahead + at)
            low = part[at]
            if low < MORE:
                at += 1 + (low >> 1)
                continue
            high = part[at + 1]
            if high < MORE:
                at += 2 + ((low & LOW | high << 7) >> 1)
                continue
            size, at = read_long(part, at)
            if size < 0:
                break
            at += size
    except (IndexError, UndecodableRecord):
        at = -1
    if at != end:
        raise CorruptRecordException("the last record of a batch does not end where the batch does")


class _Fields:
    """A cursor in each of n records, moved over one field after the other."""

    def __init__(self, data: bytes, begins: Longs) -> None:
        self._data = data
        self._octets: Octets = np.frombuffer(data, np.uint8)
        self._words: Words = words_of(data)
        self._at = begins
        length = self._number()
        self._ends = self._at + length

    def records(self, offsets: Longs, stamps: Longs, appended: Longs) -> Records:
        """Return the records, given the base offset and timestamp of the batch of each, and its append time if any."""
        self._at = self._at + 1  # attributes, of which none is in use
        stamps = np.where(appended == OF_RECORD, stamps + self._number(), appended)
        offsets = offsets + self._number()
        self._refuse(offsets[1:] <= offsets[:-1], "its offset is not before that of the next one")
        keys, values = self._text(), self._text()
        headers = self._headers()
        return Records(offsets, stamps, keys, values, headers)

    def _number(self) -> Longs:
        first = self._octets[self._at]
        if not (first & MORE).any():
            self._at = self._at + 1
            return unzigzag(first.astype(np.uint64))
        numbers, passed, too_long = read_varints(self._octets, self._words, self._at)
        if too_long is not None:
            self._refuse(too_long, "a number has more than 64 bits")
        self._at = self._at + passed
        return unzigzag(numbers)

    def _text(self) -> Joined:
        sizes = np.maximum(self._number(), ABSENT)
        starts = self._at
        self._refuse(sizes > self._ends - starts, "a key or a value goes on behind it")
        self._at = starts + np.maximum(sizes, 0)
        return Joined(self._data, starts, sizes)

    def _headers(self) -> Sequence[Headers] | None:
        counts = self._number()
        self._refuse(counts < 0, "it has a negative number of headers")
        if not counts.any():
            self._refuse(self._at != self._ends, "it is shorter or longer than its fields")
            return None
        found = zip(self._at.tolist(), self._ends.tolist(), counts.tolist(), strict=True)
        return [_headers(self._data, at, end, count) for at, end, count in found]

    def _refuse(self, bad: Flags, reason: str) -> None:
        if bad.any():
            raise CorruptRecordException(f"record {int(np.argmax(bad))} of those fetched at once: {reason}")


def _headers(data: bytes, at: int, end: int, count: int) -> Headers:
    headers: list[tuple[str, bytes | None]] = []
    try:
        for _ in range(count):
            size, at = read_long(data, at)
            if size < 0:
                raise UndecodableRecord("its name has no length")
            name, at = data[at : at + size].decode(), at + size
            size, at = read_long(data, at)
            if size < 0:
                headers.append((name, None))
                continue
            headers.append((name, data[at : at + size]))
            at += size
    except (IndexError, UnicodeDecodeError, UndecodableRecord) as error:
        raise CorruptRecordException(f"a header cannot be read: {error}") from error
    if at != end:
        raise CorruptRecordException("a record is shorter or longer than its headers")
    return tuple(headers)
