"""Where a copy reads from: Kafka or the archive, one partition at a time, in pieces of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

import polars as pl
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from tradewind.connectors.archive.errors import NotArchived
from tradewind.connectors.archive.files import facts_of
from tradewind.connectors.archive.names import chosen, listed
from tradewind.connectors.archive.reading import frames
from tradewind.connectors.archive.records import frame_of
from tradewind.connectors.copying.errors import CopyRefused
from tradewind.connectors.kafka.admin import partition_counts
from tradewind.connectors.kafka.client import ANSWER_S, reading, stream_error, taken
from tradewind.connectors.kafka.errors import BrokerUnavailable, TopicMissing
from tradewind.connectors.kafka.offsets import Offsets, Place
from tradewind.connectors.registry import SchemaRegistry, UnknownSchema
from tradewind.connectors.settings import Settings
from tradewind.topics import Topic

PIECE_ROWS = 10_000
QUEUED_KIB = 16 * 1024
SILENT_POLLS = 300
WAIT_S = 0.1

Origin = tuple[str, int]
"""Name of a topic (without the namespace) and number of a partition."""


class Source(Protocol):
    """Reads records of partitions."""

    name: str
    """Tells it from other sources."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def partitions(self) -> Mapping[Origin, int]:
        """Return the first offset that the source has of each partition."""
        ...

    def pieces(self, origin: Origin, first: int) -> Iterator[pl.DataFrame]:
        """Yield the records of a partition from an offset on, up to its end at the start of the copy; none is empty."""
        ...


class KafkaSource:
    """Reads the topics of a namespace. A context; for one thread."""

    def __init__(self, settings: Settings, topics: Sequence[Topic]) -> None:
        self.name = f"Kafka (namespace {settings.namespace!r})"
        self._settings = settings
        self._topics = topics
        self._consumer = Consumer(reading(settings, "copy", QUEUED_KIB))
        self._ends: Mapping[Place, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def partitions(self) -> Mapping[Origin, int]:
        """Return the first offset of each partition. Raises `TopicMissing`."""
        there = partition_counts(self._settings)
        places: dict[Place, Origin] = {}
        for topic in self._topics:
            name = self._settings.physical(topic)
            if name not in there:
                raise TopicMissing(f"Kafka has no topic {name}; there are: {', '.join(there) or 'none'}")
            places |= {(name, number): (topic.name, number) for number in range(there[name])}
        offsets = Offsets(self._settings)
        try:
            bounds = offsets.bounds(places)
        finally:
            offsets.close()
        self._ends = {at: end for at, (_, end) in bounds.items()}
        return {places[at]: low for at, (low, _) in bounds.items()}

    def pieces(self, origin: Origin, first: int) -> Iterator[pl.DataFrame]:
        """Yield records by the thousand; other partitions may be read between two pieces."""
        at = (self._settings.physical(origin[0]), origin[1])
        position, end = first, self._ends[at]
        while position < end:
            rows, position = self._piece(at, position, end)
            if rows.height:
                yield rows

    def _piece(self, at: Place, first: int, end: int) -> tuple[pl.DataFrame, int]:
        """Return the next records, and the position after them; past `end` if the partition ends before it."""
        self._consumer.assign([TopicPartition(*at, first)])
        messages: list[Message] = []
        silent, ended = 0, False
        while len(messages) < PIECE_ROWS and not ended:
            found = taken(self._consumer, PIECE_ROWS - len(messages), WAIT_S)
            silent = 0 if found else silent + 1
            if silent > SILENT_POLLS:
                raise BrokerUnavailable(f"Kafka at {self._settings.bootstrap} did not answer for {ANSWER_S:.0f} s")
            for message in found:
                if (message.topic(), message.partition()) != at:
                    continue  # of the partition that was read before
                error = message.error()
                if error is None:
                    if first <= message.offset() < end:
                        messages.append(message)
                    ended = ended or message.offset() >= end - 1
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended = True
                elif error.code() not in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}:
                    raise stream_error(KafkaException(error), f"reading {at[0]}/{at[1]}", self._settings)
        return frame_of(messages), end if ended else messages[-1].offset() + 1


class ArchiveSource:
    """Reads files of the archive. Their schemas must be those of the registry."""

    def __init__(self, settings: Settings, topics: Sequence[Topic]) -> None:
        """Read the topics of the settings' namespace; those of the whole archive, if it has them under no other."""
        self._settings = settings
        self._folder = settings.archive_folder.absolute()
        self._topics = topics
        self.name = f"the archive {self._folder} (namespace {settings.namespace!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def partitions(self) -> Mapping[Origin, int]:
        """Return the first offset of each partition. Raises `NotArchived`, `DamagedFile`, `OverlappingFiles`.

        Raises `CopyRefused` if the registry has other schemas under the ids of the files.
        """
        found: dict[Origin, int] = {}
        schemas: dict[str, tuple[str, str]] = {}
        for topic in self._topics:
            (name,) = chosen(self._folder, [self._settings.physical(topic)], "")
            for partition, listing in listed(self._folder, name).items():
                found[topic.name, partition] = listing.files[0].first
                for file in listing.files:
                    schemas |= {number: (text, str(file)) for number, text in facts_of(file).schemas.items()}
        if not found:
            raise NotArchived(f"the archive {self._folder} has no record of these topics")
        self._compare(schemas)
        return found

    def pieces(self, origin: Origin, first: int) -> Iterator[pl.DataFrame]:
        """Yield records by the thousand; holds one file."""
        for frame in frames(self._folder, self._settings.physical(origin[0]), origin[1], first):
            yield from frame.iter_slices(PIECE_ROWS)

    def _compare(self, schemas: Mapping[str, tuple[str, str]]) -> None:
        """Refuse files whose schema ids mean something else here: their bytes would be read wrongly."""
        with SchemaRegistry(self._settings) as registry:
            for number, (text, file) in sorted(schemas.items()):
                known = None
                with suppress(UnknownSchema):
                    known = registry.schema(int(number))
                if known != text:
                    here = "nothing" if known is None else "another schema"
                    raise CopyRefused(
                        f"schema {number} of {file} is {here} in the registry at {self._settings.registry.url}. "
                        "Records are published byte for byte, so use the registry of the stack that they are from"
                    )
