"""Compare outputs that were made again with the records that are on their topics."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.streams.replay.difference import Difference
from tradewind.streams.replay.reading import PartitionReader, ends
from tradewind.streams.runtime.agent import Agent, dead_letter_topic
from tradewind.streams.runtime.commit.outbox import Outgoing
from tradewind.streams.runtime.lease import TopicPartition
from tradewind.streams.runtime.read.records import LogRecord

WINDOW = 100_000  # records of others, between two of a task's own on one partition: more than any transaction has
SHOWN_BYTES = 24  # of a record that is no event


@dataclass(slots=True)
class _OnTopic:
    """What is on one partition, from the last record that was found on."""

    reader: PartitionReader
    records: Iterator[LogRecord]
    index: dict[int, int] | None = None
    """Hash of each record -> its offset, until the first output was found: those before it may be gone."""
    ahead: deque[LogRecord] = field(default_factory=deque)

    def peek(self, at: int) -> LogRecord | None:
        """Return the record at a place ahead, None beyond the end."""
        while len(self.ahead) <= at:
            record = next(self.records, None)
            if record is None:
                return None
            self.ahead.append(record)
        return self.ahead[at]


class Outputs:
    """The partitions that a task sends to, each read along with what is made again.

    Other tasks and producers may send to the same partitions, so that a task's outputs are a part of what is there, in
    its order.
    """

    def __init__(self, agent: Agent, settings: Settings, codec: Codec, *, whole: bool) -> None:
        """With `whole`, all that the task ever sent is made again; else its earlier outputs are passed over first."""
        self._whole = whole
        self._settings = settings
        self._codec = codec
        topics = (*agent.outputs, dead_letter_topic(agent))
        self._kept = {settings.physical(topic) for topic in topics if topic.cleanup == "delete"}
        at = [(settings.physical(topic), partition) for topic in topics for partition in range(topic.partitions)]
        self._ends = ends(settings, at, "latest")
        self._lowest = ends(settings, at, "earliest")
        self._open: dict[TopicPartition, _OnTopic] = {}
        self.found = 0
        self.gone = 0
        self.others = 0

    def close(self) -> None:
        """Let the connections go."""
        for on_topic in self._open.values():
            on_topic.reader.close()

    def compare(self, sequence: int, messages: Sequence[Outgoing]) -> Difference | None:
        """Look for the outputs of an entry on their topics; return the first that is not there as it was made again."""
        by_place: dict[TopicPartition, list[Outgoing]] = {}
        for message in messages:
            by_place.setdefault((message.topic, message.partition), []).append(message)
        for at, made in by_place.items():
            if at[0] not in self._kept:
                self.gone += len(made)  # compaction removes all but the last of a key
                continue
            different = self._find(sequence, at, made)
            if different is not None:
                return different
        return None

    def _find(self, sequence: int, at: TopicPartition, made: Sequence[Outgoing]) -> Difference | None:
        on_topic = self._open.get(at) or self._opened(at)
        if on_topic.index is not None:
            made = self._begin(at, on_topic, made)
        place, apart = 0, None
        for number, message in enumerate(made):
            where = self._next_equal(on_topic, place, message)
            if apart is None and where != place:
                apart = (number, place)
            if where is None:
                first, begin = apart or (number, place)
                return self._difference(sequence, at, made[first], on_topic, begin)
            self.others += where - place
            place = where + 1
        self.found += len(made)
        for _ in range(place):
            on_topic.ahead.popleft()
        return None

    def _begin(self, at: TopicPartition, on_topic: _OnTopic, made: Sequence[Outgoing]) -> Sequence[Outgoing]:
        """Find the first output that is still there, and read on from it; return the outputs from it on.

        Where nothing was removed, the first output must be there: it is looked for as any other.
        """
        assert on_topic.index is not None
        for number, message in enumerate(made):
            offset = on_topic.index.get(hash((message.value, message.key, message.timestamp)))
            if offset is None and self._lowest[at] > 0:
                self.gone += 1
                continue
            on_topic.reader.close()
            again = self._read(at, self._lowest[at] if offset is None else offset)
            on_topic.reader, on_topic.records, on_topic.index = again.reader, again.records, None
            return made[number:]
        return ()

    def _next_equal(self, on_topic: _OnTopic, place: int, message: Outgoing) -> int | None:
        for at in range(place, place + WINDOW):
            record = on_topic.peek(at)
            if record is None:
                return None
            if _same(record, message):
                return at
        return None

    def _opened(self, at: TopicPartition) -> _OnTopic:
        opened = self._open[at] = self._read(at, self._lowest[at])
        if not self._whole or self._lowest[at] > 0:
            opened.index = {}
            for record in opened.records:
                opened.index.setdefault(hash((record.value, record.key, record.timestamp)), record.offset)
        return opened

    def _read(self, at: TopicPartition, start: int) -> _OnTopic:
        reader = PartitionReader(self._settings, at, start)
        return _OnTopic(reader, reader.upto(self._ends[at]))

    def _difference(
        self, sequence: int, at: TopicPartition, made: Outgoing, on_topic: _OnTopic, begin: int
    ) -> Difference:
        """Say what is on the topic where an output belongs: the next record of its key, or else the next record."""
        of_its_key = next((record for record in islice(on_topic.ahead, begin, None) if record.key == made.key), None)
        moved = of_its_key is None or _same(of_its_key, made)  # it is there, but another stands in its place
        there = on_topic.peek(begin) if moved else of_its_key
        topic, partition = at[0].removeprefix(self._settings.namespace), at[1]
        if there is None:
            where = {"topic": topic, "partition": partition, "offset": self._ends[at]}
            return Difference("output", sequence, where, "no such record", self._shown(made.value))
        return Difference(
            "output",
            sequence,
            {"topic": topic, "partition": partition, "offset": there.offset},
            self._shown(there.value),
            self._shown(made.value),
            self._fields(there, made),
        )

    def _fields(self, there: LogRecord, made: Outgoing) -> Mapping[str, tuple[Any, Any]]:
        outside = {
            name: (then, now)
            for name, then, now in (
                ("record key", there.key, made.key),
                ("record timestamp", there.timestamp, made.timestamp),
            )
            if then != now
        }
        try:
            then, now = self._codec.decode(there.value or b""), self._codec.decode(made.value or b"")
        except UndecodableRecord:
            return outside
        if type(then) is not type(now):
            return outside
        before, after = then.to_dict(), now.to_dict()
        return {**outside, **{name: (before[name], after[name]) for name in before if before[name] != after[name]}}

    def _shown(self, value: bytes | None) -> str:
        try:
            return f"a {type(self._codec.decode(value or b'')).__name__}"
        except UndecodableRecord:
            return f"the bytes {(value or b'')[:SHOWN_BYTES].hex()}"


def _same(record: LogRecord, message: Outgoing) -> bool:
    return (record.value, record.key, record.timestamp) == (message.value, message.key, message.timestamp)
