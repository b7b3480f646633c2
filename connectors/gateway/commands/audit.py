"""Audit events: made of commands, and written for those that are refused. A change's is written with the change."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Protocol
from uuid import uuid4

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.gateway.commands.asked import Caller
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.kafka.client import options
from tradewind.connectors.settings import Settings
from tradewind.processors.identity import derive_id
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import US_PER_MS
from tradewind.schemas.tenancy import AuditEvent
from tradewind.topics import AUDIT
from tradewind.topics.partitioner import partition_of

DELIVERY_S: Final = 5.0
"""Until Kafka has the audit event of a refusal; a healthy broker takes milliseconds."""
DETAIL_CHARACTERS: Final = 2_000
log = logging.getLogger(__name__)


class Audits(Protocol):
    """Where refusals are written."""

    def refused(self, caller: Caller, problem: Problem) -> None:
        """Write that a command was refused; return once it is durable. Raises `Problem` (503). For any thread."""

    def close(self) -> None:
        """Let go of Kafka."""


def changed(
    caller: Caller,
    command_id: str,
    at_us: int,
    *,
    tenant_id: str | None,
    subject: str,
    detail: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> AuditEvent:
    """Return the audit event of a change; `at_us` is when the command came in, µs."""
    made = _event(caller, derive_id("AuditEvent", command_id), command_id, at_us, tenant_id)
    return replace(
        made,
        outcome="CHANGED",
        detail=detail[:DETAIL_CHARACTERS],
        subject=subject,
        before=_json(before),
        after=_json(after),
    )


def refused(caller: Caller, problem: Problem) -> AuditEvent:
    """Return the audit event of a refusal, which is one of its own each time."""
    event_id = uuid4().hex
    where = f"{problem.pointer}: " if problem.pointer else ""
    made = _event(caller, event_id, event_id, clock_us(), caller.who.tenant_id)
    return replace(made, code=problem.code, detail=f"{where}{problem.detail}"[:DETAIL_CHARACTERS])


def _event(caller: Caller, event_id: str, command_id: str, at_us: int, tenant_id: str | None) -> AuditEvent:
    """Return the audit event of a refusal, which says who, what and from where, and not yet why."""
    return AuditEvent(
        event_id=event_id,
        tenant_id=tenant_id,
        ts_event=at_us,
        ts_ingest=at_us,
        correlation_id=command_id,
        causation_id=command_id,
        user_id=caller.who.user_id,
        role=caller.who.role,
        session_id=caller.who.session_id,
        address=caller.address,
        action=caller.action,
        request_key=caller.key,
        outcome="REFUSED",
        code="",
        detail="",
        subject="",
    )


class AuditLog:
    """Writes audit events to Kafka. For any thread; one at a time is written."""

    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._settings, self._codec = settings, codec
        self._one = threading.Lock()
        self._producer: Producer | None = None

    def refused(self, caller: Caller, problem: Problem) -> None:
        """Write that a command was refused; return once it is durable. Raises `Problem` (503)."""
        self.write(refused(caller, problem))

    def write(self, event: AuditEvent) -> None:
        """Write an event; return once it is durable. Raises `Problem` (503)."""
        with self._one:
            failure = self._written(event)
            if failure is not None:
                self._let_go()
                raise Problem(
                    503,
                    "KAFKA_AWAY",
                    f"Kafka did not take the record of what was done or refused: {failure}",
                    "try again in some seconds, and see ./dev status",
                    headers={"Retry-After": "3"},
                )

    def close(self) -> None:
        """Let go of Kafka."""
        with self._one:
            self._let_go()

    def _written(self, event: AuditEvent) -> str | None:
        """Return why Kafka did not take an event; None if it did."""
        told: list[KafkaError | None] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            told.append(error)

        key = AUDIT.key(event).encode()
        try:
            self._producer = self._producer or Producer(self._options())
            self._producer.produce(
                self._settings.physical(AUDIT),
                self._codec.encode(event),
                key,
                partition_of(key, AUDIT.partitions),
                on_delivery=delivered,
                timestamp=event.ts_ingest // US_PER_MS,
            )
            self._producer.flush(DELIVERY_S)
        except (BufferError, KafkaException) as error:
            return str(error)
        if not told:
            return f"no answer within {DELIVERY_S:.0f} s"
        return None if told[0] is None else told[0].str()

    def _let_go(self) -> None:
        if self._producer is not None:
            self._producer.purge()
            self._producer = None

    def _options(self) -> dict[str, Any]:
        return {
            **options(self._settings),
            "enable.idempotence": True,
            "delivery.timeout.ms": round(1000 * DELIVERY_S),
            "linger.ms": 0,
        }


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True, ensure_ascii=False)
