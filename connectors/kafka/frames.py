"""Read a stretch of a topic into a frame, one row for each event."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import polars as pl
from confluent_kafka import Message

from tradewind.connectors.kafka.consumption import Undecodable, chosen_partitions
from tradewind.connectors.kafka.errors import ReadTooLarge, StreamError, UnreadableRecord, WrongEvent
from tradewind.connectors.kafka.records import Start, raw_records
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, CodecError, MisalignedRecords
from tradewind.schemas.codec.avro_type import (
    ArrayType,
    AvroType,
    DecimalType,
    EnumType,
    OptionalType,
    Plain,
    RecordType,
)
from tradewind.schemas.codec.catalog import NEWEST
from tradewind.schemas.codec.flat import DTYPES
from tradewind.schemas.codec.wire import DECIMAL_DIGITS
from tradewind.schemas.event import Event
from tradewind.topics import DOMAIN_TOPICS, Topic, topic_named

READ_BYTES = 512 * 1024 * 1024  # of records in one frame, which takes a few times as much; 6 million ticks
DECODED_RECORDS = 20_000  # at once: columns pay off, and a bad record costs so many to be decoded one by one


def read(
    topic: Topic | str,
    *,
    model: type[Event] | None = None,
    settings: Settings | None = None,
    start: Start = "earliest",
    limit: int | None = None,
    partitions: Collection[int] | None = None,
    max_bytes: int = READ_BYTES,
    coordinates: bool = False,
    on_undecodable: Callable[[Undecodable], None] | None = None,
) -> pl.DataFrame:
    """Return the committed events of a topic up to its present end, as a polars frame.

    The frame has a row for each event of `model` and a column for each of its fields. Times are Int64 µs, decimals are
    Decimal. Rows of one partition come in order.

    - `topic`: a `Topic`, or its name without the namespace.
    - `model`: which events to read; the topic's main model by default. Other events, such as heartbeats, are ignored.
    - `start`: "earliest", "latest", an offset, or a time.
    - `limit`: how many rows at most.
    - `max_bytes`: how many bytes of records at most.
    - `coordinates`: adds the columns `_partition`, `_offset` and `_timestamp_ms`.
    - `on_undecodable`: is called with each record that is not an event of the topic. Without it, the first such record
      raises `UnreadableRecord`.

    Raises `ReadTooLarge` beyond `max_bytes`, `UnknownTopic`, or `StreamError` if a partition or limit is wrong or Kafka
    does not answer.
    """
    settings = settings or Settings()
    topic = topic_named(topic, DOMAIN_TOPICS) if isinstance(topic, str) else topic
    model = model or topic.model
    if model not in topic.models:
        carried = " or ".join(each.__name__ for each in topic.models)
        raise WrongEvent(f"{topic.name} carries {carried}, not {model.__name__}")
    chosen = chosen_partitions(settings, topic, partitions)
    if limit is not None and limit < 0:
        raise StreamError(f"a limit of {limit}: give a number from 0 on")
    reading = _Reading(open_codec(settings), topic, model, on_undecodable)
    held = 0
    for batch in raw_records(settings, settings.physical(topic), chosen, start):
        held += sum(len(message) for message in batch)
        if held > max_bytes:
            raise ReadTooLarge(
                f"{settings.physical(topic)} has more than {max_bytes:,} bytes from there on: give a limit, a later "
                "start, fewer partitions, or a larger max_bytes; or go through it by consume"
            )
        reading.add(batch)
        if limit is not None and reading.rows() >= limit:
            break
    return reading.frame(limit, coordinates=coordinates)


@dataclass(slots=True)
class _Reading:
    codec: Codec
    topic: Topic
    model: type[Event]
    on_undecodable: Callable[[Undecodable], None] | None
    _parts: list[pl.DataFrame] = field(default_factory=list)
    _pending: list[Message] = field(default_factory=list)

    def rows(self) -> int:
        """Return how many rows there are by now; decodes what is pending."""
        self._decode()
        return sum(part.height for part in self._parts)

    def add(self, batch: Sequence[Message]) -> None:
        """Take records as they were fetched."""
        self._pending += [message for message in batch if message.value() is not None]
        if len(self._pending) >= DECODED_RECORDS:
            self._decode()

    def frame(self, limit: int | None, *, coordinates: bool) -> pl.DataFrame:
        """Return the rows."""
        self._decode()
        if not self._parts:
            self._parts = [self._with_coordinates(pl.DataFrame(schema=columns_of(self.model)), [], []).drop("_place")]
        whole = pl.concat(self._parts)
        whole = whole if limit is None else whole.head(limit)
        return whole if coordinates else whole.drop("_partition", "_offset", "_timestamp_ms")

    def _decode(self) -> None:
        messages, self._pending = self._pending, []
        if not messages:
            return
        parts = [part for places in self._by_schema(messages) if (part := self._rows(messages, places)).height]
        if parts:
            self._parts.append(pl.concat(parts).sort("_place").drop("_place"))

    def _by_schema(self, messages: Sequence[Message]) -> list[list[int]]:
        """Return the places of the records of each schema of the wanted model; tells of those that are no event."""
        places: dict[int, list[int]] = {}
        for place, message in enumerate(messages):
            try:
                places.setdefault(self.codec.schema_id(message.value()), []).append(place)
            except CodecError as error:
                self._tell(message, str(error))
        wanted = []
        for schema_id, found in places.items():
            try:
                model = self.codec.model_of(schema_id)
                reason = None if model in self.topic.models else f"is {model.__name__}, which the topic does not carry"
            except CodecError as error:
                model, reason = Event, str(error)
            if reason is not None:
                for place in found:
                    self._tell(messages[place], reason)
            elif model is self.model:
                wanted.append(found)
        return wanted

    def _rows(self, messages: Sequence[Message], places: Sequence[int]) -> pl.DataFrame:
        chosen = [messages[place] for place in places]
        if self.topic.columnar and self.model is self.topic.model:
            try:
                frame = self.codec.decode_columns(self.model, [message.value() for message in chosen])
            except MisalignedRecords:
                pass  # one of them is bad: found out one by one
            else:
                return self._with_coordinates(frame, chosen, places)
        events, good, at = [], [], []
        for place, message in zip(places, chosen, strict=True):
            try:
                events.append(self.codec.decode(message.value()).to_dict())
            except CodecError as error:
                self._tell(message, str(error))
            else:
                good.append(message)
                at.append(place)
        return self._with_coordinates(pl.DataFrame(events, schema=columns_of(self.model), orient="row"), good, at)

    def _with_coordinates(self, frame: pl.DataFrame, rows: Sequence[Message], places: Sequence[int]) -> pl.DataFrame:
        return frame.with_columns(
            pl.Series("_partition", [message.partition() for message in rows], dtype=pl.Int32),
            pl.Series("_offset", [message.offset() for message in rows], dtype=pl.Int64),
            pl.Series("_timestamp_ms", [message.timestamp()[1] for message in rows], dtype=pl.Int64),
            pl.Series("_place", places, dtype=pl.Int64),
        )

    def _tell(self, message: Message, reason: str) -> None:
        bad = Undecodable(message.topic(), message.partition(), message.offset(), message.value(), reason)
        if self.on_undecodable is None:
            raise UnreadableRecord(f"{bad}; to read the others, pass on_undecodable")
        self.on_undecodable(bad)


def columns_of(model: type[Event]) -> dict[str, pl.DataType]:
    """Return the columns of a frame of a model's events."""
    return {each.name: _dtype(each.type) for each in NEWEST[model.SCHEMA].fields}


def _dtype(kind: AvroType) -> pl.DataType:
    match kind:
        case OptionalType():
            return _dtype(kind.of)
        case DecimalType(scale):
            return pl.Decimal(DECIMAL_DIGITS, scale)
        case ArrayType(items):
            return pl.List(_dtype(items))
        case RecordType():
            return pl.Struct({each.name: _dtype(each.type) for each in kind.fields})
        case EnumType():
            return pl.String()
        case Plain("bytes"):
            return pl.Binary()
        case Plain(name):
            return DTYPES[name]
    raise AssertionError(f"no column for {kind!r}")
