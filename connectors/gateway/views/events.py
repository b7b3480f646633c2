"""Threads that follow the topics of account events, each from some thousand records before its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from confluent_kafka import KafkaException, Message

from tradewind.connectors.gateway.stream.feed import EventChannel, Line
from tradewind.connectors.gateway.views.topic_view import OfModel, TopicView
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.client import stream_error, until_settled
from tradewind.connectors.kafka.errors import OffsetGone
from tradewind.connectors.kafka.offsets import Offsets
from tradewind.connectors.kafka.topic_ids import topic_ids
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.topics import ALERTS, DECISIONS, FILLS, ORDER_EVENTS, POSITIONS, SIGNALS, Topic

BACK: Final = 5_000
"""Offsets of each partition that are read at the start, so that a place of before a restart is found again."""
TOPICS: Final[Mapping[EventChannel, Topic]] = {
    "signals": SIGNALS,
    "decisions": DECISIONS,
    "orders": ORDER_EVENTS,
    "fills": FILLS,
    "positions": POSITIONS,
    "alerts": ALERTS,
}
"""What each channel carries: the events of the topic's own model, without heartbeats and the like."""
Began = Callable[[Mapping[int, int], str], None]
"""Takes the offsets from which on all records come in, and Kafka's id of the topic."""
Add = Callable[[Sequence[Line]], None]


class EventsView(TopicView):
    """Follows one topic; after a failure it goes on where it was."""

    def __init__(self, settings: Settings, codec: Codec, topic: Topic, began: Began, add: Add) -> None:
        """`began` and `add` are called from the view's thread."""
        super().__init__(settings, topic, topic.name)
        self._codec, self._began, self._add = codec, began, add
        self._of_model = OfModel(topic, codec)
        self._at: dict[int, int] = {}
        self._topic_id = ""

    def begin(self) -> Mapping[int, int]:
        """Return the offsets to go on with; anew where the topic was created anew."""
        topic_id = topic_ids(self._settings, [self._topic.name]).get(self._topic.name, "")
        if not self._at or topic_id != self._topic_id:
            self._at, self._topic_id = self._found(), topic_id
            self._began(self._at, topic_id)
        return dict(self._at)

    def failed(self, error: Exception) -> None:
        """Begin anew after retention has removed what was to be read."""
        if isinstance(error, OffsetGone):
            self._at = {}
        super().failed(error)

    def take(self, batch: list[Message]) -> None:
        """Hand on the events; what cannot be decoded is a dead letter of the agents."""
        lines: list[Line] = []
        for message in batch:
            value, partition, offset = message.value(), message.partition(), message.offset()
            self._at[partition] = offset + 1
            if value is None or not self._of_model(value):
                continue
            try:
                event = self._codec.decode(value)
            except UndecodableRecord:
                continue
            symbol, venue = getattr(event, "symbol", None), getattr(event, "venue", None)
            lines.append(
                Line(
                    partition,
                    offset,
                    getattr(event, "tenant_id", None),
                    getattr(event, "account_id", None),
                    f"{symbol}.{venue}" if symbol else "",
                    value,
                )
            )
        if lines:
            self._add(lines)

    def _found(self) -> dict[int, int]:
        count = require(self._settings, self._topic)
        name = self._settings.physical(self._topic)
        offsets = Offsets(self._settings)
        try:
            found = until_settled(lambda: offsets.bounds([(name, number) for number in range(count)]))
        except KafkaException as error:
            raise stream_error(error, f"reading {name}", self._settings) from error
        finally:
            offsets.close()
        return {number: max(first, end - BACK) for (_, number), (first, end) in found.items()}
