"""A search goes over all partitions newest first, and shows a tenant nothing of another. On a real Kafka."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer

from tradewind.connectors.gateway.auth.roles import Who
from tradewind.connectors.gateway.cursors import Cursors
from tradewind.connectors.gateway.messages import Messages, Query
from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.health.messages import STEP_S
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.offsets import Offsets
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.market import Tick
from tradewind.schemas.notifications import Alert
from tradewind.topics import ALERTS, TENANTS, TICKS, Topic

BEGIN_MS = 1_767_000_000_000
TICKS_SENT = 300
SETTLE_S = 30.0
CURSORS = Cursors(b"secret")
OPERATOR = Who("u", "operator", None, "s", 0)
ALPHA = Who("u", "viewer", "alpha", "s", 0)


class Sender:
    """Writes records in transactions, a millisecond apart, to partitions in turn."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.codec = settings, open_codec(settings)
        self._producer = Producer({**settings.librdkafka(), "transactional.id": settings.physical("writer")})
        self._producer.init_transactions()

    def send(self, topic: Topic, values: list[bytes | None], *, begin_ms: int = BEGIN_MS, commits: bool = True) -> None:
        """Write values in one transaction."""
        self._producer.begin_transaction()
        for at, value in enumerate(values):
            name = self.settings.physical(topic)
            self._producer.produce(name, value, f"key-{at % 10}", partition=at % 4, timestamp=begin_ms + at)
        self._producer.flush()
        (self._producer.commit_transaction if commits else self._producer.abort_transaction)()
        self._settle(topic)

    def _settle(self, topic: Topic) -> None:
        """Wait until the markers of the transaction are there: Kafka writes them after its answer."""
        places = [(self.settings.physical(topic), number) for number in range(topic.partitions)]
        until = time.monotonic() + SETTLE_S
        with closing(Offsets(self.settings)) as stable, closing(Offsets(self.settings, "read_uncommitted")) as written:
            while stable.listed(places, "latest") != written.listed(places, "latest"):
                assert time.monotonic() < until
                time.sleep(0.02)


def alert(number: int, tenant: str | None) -> Alert:
    """Return an alert of a tenant, or of the platform."""
    return Alert(
        event_id=f"{number:032x}",
        ts_event=1,
        ts_ingest=1,
        correlation_id="c",
        causation_id="c",
        tenant_id=tenant,
        source="test",
        code="TEST",
        severity="INFO",
        message=f"number {number}",
    )


@pytest.fixture
def sender(settings: Settings) -> Sender:
    """Give what writes to topics that exist."""
    ensure(settings, (TICKS, ALERTS, TENANTS))
    return Sender(settings)


def searches(sender: Sender, step_s: float = STEP_S) -> Messages:
    """Return the searches of the namespace."""
    topics = (TICKS, ALERTS, TENANTS)
    names = [sender.settings.physical(topic) for topic in topics]
    return Messages(sender.settings, sender.codec, names, topics, step_s)


async def walked(messages: Messages, who: Who, **wanted: Any) -> list[dict[str, Any]]:
    """Return all hits of a search, step by step."""
    hits: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(200):
        found = await messages.step(Query(**wanted, cursor=cursor), who, CURSORS)
        hits += found["hits"]
        cursor = found["next"]
        if cursor is None:
            return hits
    pytest.fail("the search never ends")


async def test_every_record_is_found_once_newest_first(sender: Sender) -> None:
    """By key and filter too, in pages of any size; what was aborted is not found; what came since is."""
    ticks = [
        sender.codec.encode(Tick(symbol="EURUSD", venue="SIM", seq=at, ts_event=at, bid=1 + at / 1000, ask=2.0))
        for at in range(TICKS_SENT)
    ]
    sender.send(TICKS, [*ticks[:200]])
    sender.send(TICKS, [*ticks[:40]], begin_ms=BEGIN_MS + 200, commits=False)
    sender.send(TICKS, [*ticks[200:]], begin_ms=BEGIN_MS + 200)
    messages = searches(sender)
    for limit in (7, 200):
        hits = await walked(messages, OPERATOR, topic="market.ticks", limit=limit)
        assert [int(hit["event"]["seq"]) for hit in hits] == list(range(TICKS_SENT))[::-1]
    oldest = await walked(messages, ALPHA, topic="market.ticks", order="oldest", partition=1, limit=50)
    assert [int(hit["event"]["seq"]) for hit in oldest] == list(range(1, TICKS_SENT, 4))
    chosen = await walked(messages, ALPHA, topic="market.ticks", where="bid >= 1.25 and not seq > 260", limit=9)
    assert [int(hit["event"]["seq"]) for hit in chosen] == list(range(250, 261))[::-1]
    since = datetime.fromtimestamp((BEGIN_MS + 290) / 1000, UTC)
    late = await walked(messages, OPERATOR, topic="market.ticks", since=since)
    assert [int(hit["event"]["seq"]) for hit in late] == list(range(290, 300))[::-1]

    head = (await messages.step(Query(topic="market.ticks", limit=1), OPERATOR, CURSORS))["head"]
    assert (await messages.step(Query(topic="market.ticks", live=head), OPERATOR, CURSORS))["hits"] == []
    sender.send(TICKS, [None, b"no event"], begin_ms=BEGIN_MS + 1_000)
    found = await messages.step(Query(topic="market.ticks", live=head), OPERATOR, CURSORS)
    assert {(hit.get("deleted"), hit.get("hex")) for hit in found["hits"]} == {(True, None), (None, b"no event".hex())}
    again = await messages.step(Query(topic="market.ticks", live=found["head"]), OPERATOR, CURSORS)
    assert again["hits"] == []
    newest = (await messages.step(Query(topic="market.ticks", limit=2), ALPHA, CURSORS))["hits"]
    assert [hit.get("deleted") for hit in newest] == [True, None], "what is no event may be anybody's"


async def test_a_tenant_finds_its_own_alone(sender: Sender) -> None:
    """Neither another tenant's events nor the platform's, and not by another's cursor, in the shortest of steps."""
    sender.send(ALERTS, [sender.codec.encode(alert(at, (None, "alpha", "beta")[at % 3])) for at in range(30)])
    messages = searches(sender, step_s=0.0)
    mine = await walked(messages, ALPHA, topic="notifications.alerts", limit=4)
    assert [hit["event"]["message"] for hit in mine] == [f"number {at}" for at in range(28, 0, -3)]
    theirs = await walked(messages, OPERATOR, topic="notifications.alerts", tenant="beta")
    assert {hit["event"]["tenant_id"] for hit in theirs} == {"beta"}
    assert len(await walked(messages, OPERATOR, topic="notifications.alerts")) == 30
    cursor = (await messages.step(Query(topic="notifications.alerts", limit=1), OPERATOR, CURSORS))["next"]
    refusals = {
        "FOREIGN_CURSOR": Query(topic="notifications.alerts", cursor=cursor),
        "FORBIDDEN": Query(topic="notifications.alerts", tenant="beta"),
        "UNKNOWN_TOPIC": Query(topic="notifications.alert"),
        "BAD_FILTER": Query(topic="notifications.alerts", where="cod = 1"),
        "INVALID": Query(topic="notifications.alerts", partition=9),
    }
    for code, query in refusals.items():
        with pytest.raises(Problem) as refused:
            await messages.step(query, ALPHA, CURSORS)
        assert refused.value.code == code
