"""Alerts of the last day, as a thread follows their topic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from confluent_kafka import Message

from tradewind.connectors.gateway.views.topic_view import TopicView
from tradewind.connectors.kafka.records import Start
from tradewind.connectors.settings import Settings
from tradewind.processors.health.alerts import Complaint, Said, Standing, hear, standing
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.notifications import Alert
from tradewind.topics import ALERTS

DAY: Final = timedelta(days=1)


class AlertsView(TopicView):
    """Reads the alerts of the last day, and then follows them."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        super().__init__(settings, ALERTS, "alerts")
        self._codec = codec
        self._book: dict[Complaint, Said] = {}
        self.last: tuple[Said, ...] | None = None
        """What was said; None before the first look."""

    def begin(self) -> Start:
        """Begin a day ago, and forget what was read before: it comes again."""
        self._book = {}
        return datetime.now(UTC) - DAY

    def take(self, batch: list[Message]) -> None:
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
        "acknowledged": None
        if said.acknowledged is None
        else {"at": _seconds(said.acknowledged.at_us), "said": said.acknowledged.said},
    }


def _seconds(us: int) -> float:
    return round(us / 1_000_000, 3)
