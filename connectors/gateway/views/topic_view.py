"""A view that follows a topic, and begins again after a failure."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

from confluent_kafka import Message

from tradewind.connectors.gateway.views.view import View
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.kafka.records import Starts, raw_records
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.topics import Topic

FRAME: Final = 5
"""Bytes of Confluent's frame: a zero, and the schema's id."""
AGAIN_S: Final = 2.0
"""After a failure: Kafka's restart takes some 10 s."""
log = logging.getLogger(__name__)


class TopicView(View):
    """Subclasses give `begin` and `take`, and may read some partitions only."""

    def __init__(self, settings: Settings, topic: Topic, of: str, again_s: float = AGAIN_S) -> None:
        super().__init__(of)
        self._settings, self._topic, self._again_s = settings, topic, again_s
        self.trouble: str | None = None
        """Why nothing is read; None while the topic is followed."""

    def begin(self) -> Starts:
        """Return where to begin, at the start and after each failure."""
        raise AssertionError(f"{type(self).__name__} does not say where it begins")

    def take(self, batch: list[Message]) -> None:
        """Take in records; none if there is nothing new."""
        raise AssertionError(f"{type(self).__name__} takes none of {len(batch)} records")

    def partitions(self, count: int) -> Collection[int]:
        """Return which partitions are read, of so many."""
        return range(count)

    def run(self) -> None:
        """Follow until closed."""
        while not self._closing.is_set():
            try:
                self._follow()
            except (StreamError, RegistryError) as error:
                self.failed(error)

    def failed(self, error: Exception) -> None:
        """Say why nothing is read, and wait a little."""
        self.trouble = str(error)
        log.warning("the %s waits: %s", self.name, error)
        self._closing.wait(self._again_s)

    def _follow(self) -> None:
        partitions = self.partitions(require(self._settings, self._topic))
        physical = self._settings.physical(self._topic)
        batches = raw_records(self._settings, physical, partitions, self.begin(), follow=True)
        try:
            for batch in batches:
                if self._closing.is_set():
                    return
                self.take(batch)
                self.trouble = None
        finally:
            batches.close()


class OfModel:
    """Tells by their frames which values are events of a topic's own model, without decoding them."""

    def __init__(self, topic: Topic, codec: Codec) -> None:
        self._topic, self._codec = topic, codec
        self._known: dict[bytes, bool] = {}

    def __call__(self, value: bytes) -> bool:
        """Return whether a value is one of them."""
        frame = value[:FRAME]
        if frame not in self._known:
            try:
                self._known[frame] = self._codec.model_of(int.from_bytes(frame[1:], "big")) is self._topic.model
            except UndecodableRecord:
                self._known[frame] = False
        return self._known[frame]
