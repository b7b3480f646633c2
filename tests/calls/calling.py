"""What tests of callers share: calls on their topic, callers as processes, and a provider that keeps a log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

from confluent_kafka import Producer
from processes.forking import Forked, forked
from processes.pipeline import environment

from tradewind.connectors.ai.answer import Answer, Tokens
from tradewind.connectors.calls.kept import claims_topic
from tradewind.connectors.calls.kind import Sending
from tradewind.connectors.calls.limits import Limits
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.dead_letters.topic import letter_topic
from tradewind.connectors.kafka import consume
from tradewind.connectors.kafka.admin import create_missing
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.ai.orders import Orders
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiCall
from tradewind.topics import AI_ATTEMPTS, AI_CALLS
from tradewind.topics.partitioner import partition_of

PROCESS = str(Path(__file__).with_name("process.py"))
CALLER = "caller-ai"
PATIENCE_S = 90.0
SHORT = Limits(session_s=1.5, transaction_s=2.0, rejoin_s=2.0, settle_s=2.0)
"""For tests that wait for the session of a killed caller."""
LIMITS, PROVIDER_LOG, ORDERS = "TRADEWIND_TEST_LIMITS", "TRADEWIND_TEST_PROVIDER_LOG", "TRADEWIND_TEST_ORDERS"
NEUTRAL = {"max_tokens": 64, "messages": [{"content": "how calm is the market?", "role": "user"}]}


def call(number: int | str | None = None, **changes: Any) -> AiCall:
    """Make a call; its ids follow from its number. By default no other call has them, of other processes neither."""
    id_ = derive_id("test call", uuid4().hex if number is None else number)
    body = json.dumps({**NEUTRAL, **changes.pop("body", {})}, sort_keys=True, separators=(",", ":"))
    values: dict[str, Any] = {
        "event_id": id_, "tenant_id": "alpha", "ts_event": clock_us(), "ts_ingest": clock_us(), "correlation_id": id_,
        "causation_id": id_, "call_id": id_, "request_id": id_, "attempt": 1, "kind": "CHAT", "request_type": "test",
        "reply_key": "test", "provider": "paper", "provider_revision": 1, "adapter": "paper", "base_url": None,
        "allow_private": True, "model": "paper-1", "key_id": None, "concurrent": 0, "body": body,
        "digest": derive_id(id_, body),
        "max_tokens": 64, "input_bound": 1000, "stream": "NONE", "cache": "OFF", "cache_only": False, "probe": False,
        "reserved": Decimal(1), "currency": "USD", "price_id": "test", "not_before": 0,
        "deadline": clock_us() + 120_000_000, "connect_timeout_ms": 5_000, "first_token_timeout_ms": 60_000,
        "idle_timeout_ms": 30_000, "total_timeout_ms": 120_000,
    }  # fmt: skip
    return AiCall(**{**values, **changes})


class Logged:
    """A provider that writes each call that it is sent to a file, and answers after the seconds that the model names.

    As with a real one, nobody can take back what it was sent.
    """

    def __init__(self, log: Path) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def open(self) -> None:
        """Have nothing to prepare."""

    async def ask(self, call: AiCall, key: str | None, sending: Sending) -> Answer:
        """Log the call, and answer."""
        sending.sent = True
        os.write(self._log, f"{call.call_id} {call.tenant_id}\n".encode())
        await asyncio.sleep(float(call.model))
        return Answer("OK", text="yes", finish="STOP", tokens=Tokens(input=3, output=1))

    async def close(self) -> None:
        os.close(self._log)


class Calling:
    """A namespace with calls and attempts, and callers that are processes."""

    def __init__(self, settings: Settings, folder: Path, limits: Limits = SHORT) -> None:
        self.settings, self.folder = settings, folder
        create_missing(settings, [AI_CALLS, AI_ATTEMPTS, letter_topic(CALLER), claims_topic(CALLER, AI_CALLS)])
        self._codec = open_codec(settings)
        self._producer = Producer({**settings.librdkafka(), "transactional.id": settings.physical("orders")})
        self._producer.init_transactions(30)
        self.log = folder / "provider.log"
        self.log.touch()
        self._environment = {
            **environment(settings),
            LIMITS: json.dumps(asdict(limits)),
            PROVIDER_LOG: str(self.log),
            ORDERS: str(folder),
        }
        self.callers: list[Forked] = []
        self.orders = Orders(folder)

    def order(self, *calls: AiCall) -> None:
        """Publish calls in one transaction, as the agent does."""
        self._producer.begin_transaction()
        for one in calls:
            key = AI_CALLS.key(one).encode()
            partition = partition_of(key, AI_CALLS.partitions)
            self.put(self._codec.encode(one), key, partition)
        self._producer.commit_transaction(30)

    def order_bytes(self, value: bytes) -> None:
        """Publish what is no call."""
        self._producer.begin_transaction()
        self.put(value, b"k", 0)
        self._producer.commit_transaction(30)

    def put(self, value: bytes, key: bytes, partition: int) -> None:
        self._producer.produce(self.settings.physical(AI_CALLS), value, key, partition)

    def start(self) -> Forked:
        """Start one more caller."""
        with (self.folder / f"caller-{len(self.callers)}.log").open("wb") as log:
            self.callers.append(forked(PROCESS, environment=self._environment, out=log))
        return self.callers[-1]

    def sent(self) -> list[str]:
        """Return the ids of the calls that the provider was sent, in order."""
        return [line.split()[0] for line in self.log.read_text().splitlines()]

    def attempts(self) -> list[AiAttempt]:
        """Return all attempts so far."""
        records = consume(AI_ATTEMPTS, settings=self.settings, codec=self._codec)
        return [record.event for record in records if isinstance(record.event, AiAttempt)]

    def outcomes(self, *calls: AiCall) -> dict[str, list[str]]:
        """Return the outcomes of calls, by the call's id."""
        found: dict[str, list[str]] = {one.call_id: [] for one in calls}
        for attempt in self.attempts():
            found[attempt.call_id].append(attempt.outcome)
        return found

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            failed = any(one.poll() not in {None, 0, -signal.SIGKILL} for one in self.callers)
            if failed or time.monotonic() > deadline:
                why = "a caller has ended" if failed else f"not within {PATIENCE_S:.0f} s"
                raise AssertionError(f"{why}: {what}\n{self.logs()[-6000:]}")
            time.sleep(0.1)

    def logs(self) -> str:
        """Return what the callers have logged."""
        return "\n".join(log.read_text("utf-8", "replace") for log in sorted(self.folder.glob("caller-*.log")))

    def end(self) -> None:
        """End the callers."""
        for one in self.callers:
            if one.poll() is None:
                one.send_signal(signal.SIGCONT)
                one.kill()
                one.wait(30)


@contextmanager
def calling(settings: Settings, folder: Path, limits: Limits = SHORT) -> Iterator[Calling]:
    """Give a namespace with callers, which end with the block."""
    given = Calling(settings, folder, limits)
    try:
        yield given
    finally:
        given.end()


def counted(outcomes: Mapping[str, list[str]]) -> Counter[str]:
    """Return how many calls have which outcomes."""
    return Counter(" ".join(sorted(found)) for found in outcomes.values())
