"""Follows the responses that this process waits for: one partition, which the reply key of its requests chooses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Final
from uuid import uuid4

from confluent_kafka import Message

from tradewind.connectors.gateway.views.topic_view import TopicView
from tradewind.connectors.kafka.errors import OffsetGone
from tradewind.connectors.kafka.records import Start
from tradewind.connectors.settings import Settings
from tradewind.schemas.ai import AiResponse
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.topics import AI_RESPONSES
from tradewind.topics.partitioner import partition_of

AGAIN_S: Final = 1.0
log = logging.getLogger(__name__)


class Responses(TopicView):
    """Reads from where the topic ended at the start, and after a failure from where it was."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        super().__init__(settings, AI_RESPONSES, "responses of models", AGAIN_S)
        self._codec = codec
        self.answered: Callable[[AiResponse], None] = _nobody
        """Called from the thread, with each response to this process."""
        self._next: Start = "latest"
        self.reply_key = f"gateway/{uuid4().hex}"
        self.trouble = "the responses have not been read yet"  # requests wait for responses only while it is None

    def begin(self) -> Start:
        """Go on where the last batch has ended."""
        return self._next

    def partitions(self, count: int) -> Collection[int]:
        """Return the one that the reply key chooses."""
        return (partition_of(self.reply_key.encode(), count),)

    def failed(self, error: Exception) -> None:
        """Go on at the end where responses were removed before they were read."""
        if isinstance(error, OffsetGone):
            log.warning("responses were removed before they were read: %s", error)
            self._next = "latest"
        else:
            super().failed(error)

    def take(self, batch: list[Message]) -> None:
        """Hand on what is ours."""
        for message in batch:
            try:
                event = self._codec.decode(message.value() or b"")
            except UndecodableRecord:
                event = None  # somebody else's
            if isinstance(event, AiResponse) and event.reply_key == self.reply_key:
                self.answered(event)
            self._next = (message.offset() or 0) + 1


def _nobody(response: AiResponse) -> None:
    log.warning("nobody waits for response %s", response.event_id)
