"""Alerts of the last day, as a thread follows their topic."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from confluent_kafka import Message

from tradewind.connectors.gateway.views.view import View
from tradewind.connectors.kafka.admin import require
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.processors.health.alerts import Complaint, Said, Standing, hear, standing
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.notifications import Alert
from tradewind.topics import ALERTS

AGAIN_S: Final = 2.0
DAY: Final = timedelta(days=1)
log = logging.getLogger(__name__)


class AlertsView(View):
    """Reads the alerts of the last day, and then follows them."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        super().__init__("alerts")
        self._settings, self._codec = settings, codec
        self._book: dict[Complaint, Said] = {}
        self.last: tuple[Said, ...] | None = None
        """What was said; None before the first look."""
        self.trouble: str | None = None
        """Why nothing is read; None while the topic is followed."""

    def run(self) -> None:
        """Follow until closed; after a failure, from a day ago again."""
        while not self._closing.is_set():
            try:
                self._follow()
            except (StreamError, RegistryError) as error:
                self.trouble = str(error)
                log.warning("the view of alerts waits: %s", error)
                self._closing.wait(AGAIN_S)

    def _follow(self) -> None:
        partitions = range(require(self._settings, ALERTS))
        physical, begin = self._settings.physical(ALERTS), datetime.now(UTC) - DAY
        self._book = {}
        batches = raw_records(self._settings, physical, partitions, begin, follow=True)
        try:
            for batch in batches:
                if self._closing.is_set():
                    return
                self.take(batch)
                self.trouble = None
        finally:
            batches.close()

    def take(self, batch: Sequence[Message]) -> None:
        """Take in records; what cannot be decoded is none of ours."""
        for message in batch:
            value = message.value()
            try:
                event = None if value is None else self._codec.decode(value)
            except UndecodableRecord:
                continue
            if isinstance(event, Alert):
                hear(self._book, event)
        if batch or self.last is None:
            self.last = tuple(self._book.values())


def alerts_json(said: Sequence[Said], tenant_id: str | None) -> list[dict[str, Any]]:
    """Return how alerts stand; those of one tenant, or all."""
    own = (one for one in said if tenant_id is None or one.alert.tenant_id == tenant_id)
    return [_shown(one) for one in standing(own, time.time_ns() // 1000)]


def _shown(one: Standing) -> dict[str, Any]:
    alert, said = one.said.alert, one.said
    return {
        "id": alert.event_id,
        "state": one.state,
        "severity": alert.severity,
        "code": alert.code,
        "source": alert.source,
        "tenant": alert.tenant_id,
        "group": alert.group,
        "topic": alert.topic,
        "partition": alert.partition,
        "message": alert.message,
        "since": _seconds(said.since_us),
        "last": _seconds(said.last_us),
        "over": None if said.over_us is None else _seconds(said.over_us),
        "times": said.times,
    }


def _seconds(us: int) -> float:
    return round(us / 1_000_000, 3)
