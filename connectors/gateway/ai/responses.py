"""Follows the responses that this process waits for: one partition, which the reply key of its requests chooses."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final
from uuid import uuid4

from confluent_kafka import Message

from tradewind.connectors.gateway.views.view import View
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.errors import OffsetGone, StreamError
from tradewind.connectors.kafka.records import Start, raw_records
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.schemas.ai import AiResponse
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.topics import AI_RESPONSES
from tradewind.topics.partitioner import partition_of

AGAIN_S: Final = 1.0
log = logging.getLogger(__name__)


class Responses(View):
    """Reads from where the topic ended at the start, and after a failure from where it was."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        super().__init__("responses of models")
        self._settings, self._codec = settings, codec
        self.answered: Callable[[AiResponse], None] = _nobody
        """Called from the thread, with each response to this process."""
        self._next: Start = "latest"
        self.reply_key = f"gateway/{uuid4().hex}"
        self.trouble: str | None = "the responses have not been read yet"
        """Why nothing is read; None while it is: requests wait for responses only then."""

    def run(self) -> None:
        """Follow until closed."""
        while not self._closing.is_set():
            try:
                self._follow()
            except OffsetGone as error:
                log.warning("responses were removed before they were read: %s", error)
                self._next = "latest"
            except (StreamError, RegistryError) as error:
                self.trouble = str(error)
                log.warning("responses of models wait: %s", error)
                self._closing.wait(AGAIN_S)

    def _follow(self) -> None:
        partition = partition_of(self.reply_key.encode(), require(self._settings, AI_RESPONSES))
        physical = self._settings.physical(AI_RESPONSES)
        batches = raw_records(self._settings, physical, [partition], self._next, follow=True)
        try:
            for batch in batches:
                if self._closing.is_set():
                    return
                self.take(batch)
                self.trouble = None
        finally:
            batches.close()

    def take(self, batch: Sequence[Message]) -> None:
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
