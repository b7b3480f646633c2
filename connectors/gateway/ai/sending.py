"""Requests go to Kafka from a thread, those that wait together in one transaction."""

from __future__ import annotations

import logging
import queue
from concurrent.futures import Future
from contextlib import suppress
from typing import Final
from uuid import uuid4

from confluent_kafka import KafkaException

from tradewind.connectors.gateway.views.view import View
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.kafka.producer import Transactions
from tradewind.connectors.kafka.publication import Encoder
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import Event
from tradewind.topics import Topic

TOGETHER: Final = 200
"""Events of one transaction."""
POLL_S: Final = 0.5
"""How soon the thread sees that it is to end."""
FAILURES: Final = (StreamError, RegistryError, KafkaException)
log = logging.getLogger(__name__)


class Sending(View):
    """Writes events of one topic."""

    def __init__(self, settings: Settings, codec: Codec, topic: Topic) -> None:
        super().__init__(f"what goes to {topic.name}")
        self._settings, self._codec, self._topic = settings, codec, topic
        self._id = settings.physical(f"tradewind.gateway.{uuid4().hex}")
        self._waiting: queue.SimpleQueue[tuple[Event, Future[None]]] = queue.SimpleQueue()
        self._transactions: Transactions | None = None
        self._encoder: Encoder | None = None

    def put(self, event: Event) -> Future[None]:
        """Have an event written. The future ends once it is durable; with one of `FAILURES` where that is in doubt."""
        done: Future[None] = Future()
        self._waiting.put((event, done))
        return done

    def run(self) -> None:
        """Write until closed."""
        while not self._closing.is_set():
            batch = self._taken()
            if batch:
                self._write(batch)
        for _, done in self._taken():
            done.cancel()
        self._let_go()

    def _taken(self) -> list[tuple[Event, Future[None]]]:
        batch: list[tuple[Event, Future[None]]] = []
        with suppress(queue.Empty):
            batch.append(self._waiting.get(timeout=0 if self._closing.is_set() else POLL_S))
            while len(batch) < TOGETHER:
                batch.append(self._waiting.get_nowait())
        return batch

    def _write(self, batch: list[tuple[Event, Future[None]]]) -> None:
        sent: list[Future[None]] = []
        try:
            transactions, encoder = self._opened()
            runs = []
            for event, done in batch:
                try:
                    runs += encoder.encode(iter([event]))
                except StreamError as error:  # this one alone
                    done.set_exception(error)
                else:
                    sent.append(done)
            if runs:
                transactions.write([run for of in runs for run in of])
        except FAILURES as error:
            log.warning("%s: %d events may not be written: %s", self._topic.name, len(batch), error)
            self._let_go()
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
        else:
            for done in sent:
                done.set_result(None)

    def _opened(self) -> tuple[Transactions, Encoder]:
        if self._encoder is None:
            partitions = require(self._settings, self._topic)
            self._encoder = Encoder(self._topic, self._settings.physical(self._topic), self._codec, partitions)
        if self._transactions is None:
            self._transactions = Transactions(self._settings, self._id).__enter__()
        return self._transactions, self._encoder

    def _let_go(self) -> None:
        made, self._transactions = self._transactions, None
        if made is not None:
            with suppress(*FAILURES):
                made.__exit__(None, None, None)
