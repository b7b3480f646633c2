"""A day that the whole pipeline plays, as processes of its own, and what must hold of what it leaves.

The fixture `played_day` has one played for all tests that only look at the outcome. They run in one worker process. A
new domain adds assertions to `test_played_day.py`, not another day.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis
from processes.pipeline import Pipeline

from days.ledger import Ledger, postgres_rows, questdb_count, read_all, read_orders
from days.recorded import BTCUSDT, EURUSD, XAUUSD, Recording
from tradewind.connectors.ai.deltas.entries import TEXT, stream_key
from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.kafka.publication import publish
from tradewind.connectors.settings import Settings, revealed
from tradewind.processors.identity import derive_id
from tradewind.processors.signals.sentiment import NewsSentiment
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.schemas.signals import DeploymentCommand
from tradewind.schemas.tenancy import TenantCommand
from tradewind.topics import TENANT_COMMANDS

FILES = (EURUSD, XAUUSD, BTCUSDT)
ASKING = "beta"
NEWS = {"instruments": ["EURUSD.OANDA"], "headline": "Euro little changed", "source": "Wire", "time": 1398902400000000}
"""An item that `paper` is not confident about, so that no signal follows from its answer."""
HALTED, REASON = "gamma", "a test of the switch"
TENANTS = (*DEFAULT_TENANTS, replace(DEFAULT_TENANTS[0], tenant_id=HALTED))
QUOTED, QUOTA = "alpha", {"fills": 2}
"""Nothing depends on a quota of fills, so that the day is the same; risk and the AI agent read of it all the same."""
OF_AI = ("ai.tokens.in", "ai.tokens.out", "ai.cost")
"""What one answer is metered by."""
STILL_S = 150.0
"""Time without anything new; how long it all takes is the machine's matter."""
SETTLE_POLL_S = 2.0
"""Each look reads all that came of the ticks."""
STORED_S = 90.0
STORED_POLL_S = 0.5
UNEQUAL = """
    SELECT tenant_id, account_id, symbol, venue FROM positions p FULL JOIN (
        SELECT tenant_id, account_id, symbol, venue,
            sum(CASE side WHEN 'BUY' THEN quantity ELSE -quantity END) AS filled
        FROM fills GROUP BY 1, 2, 3, 4) f USING (tenant_id, account_id, symbol, venue)
    WHERE p.quantity IS DISTINCT FROM f.filled
    UNION ALL
    SELECT tenant_id, account_id, symbol, venue FROM positions p FULL JOIN (
        SELECT tenant_id, account_id, symbol, venue, sum(quantity) AS held
        FROM deployment_positions GROUP BY 1, 2, 3, 4) d USING (tenant_id, account_id, symbol, venue)
    WHERE p.quantity IS DISTINCT FROM d.held"""


@dataclass(frozen=True, slots=True)
class PlayedDay:
    """What is left of a day: topics, tables, and the commands on them. Nothing of it runs any more."""

    settings: Settings
    pipeline: Pipeline
    ledger: Ledger
    answer: Mapping[str, Any]
    """The response to one question to a model, as JSON."""
    shown: str
    """What was shown of that answer while it came; empty without a Valkey."""


def play(settings: Settings, folder: Path) -> PlayedDay:
    """Feed all recordings at full speed, with one tenant halted; stop when the stores have it all, or have had time."""
    own = settings.model_copy(update={"tenants": TENANTS})
    pipeline = Pipeline(own, folder)
    try:
        pipeline.run("prepare")
        publish(TENANT_COMMANDS, [quoted(), *silenced()], own)
        pipeline.run("halt", HALTED, "--reason", REASON)
        for name in pipeline.roles:
            pipeline.start(name)
        fed(pipeline, FILES)
        heard(pipeline, folder)
        answer = json.loads(pipeline.run("ai", "ask", "Is EURUSD calm?", "--tenant", ASKING, "--stream", "--json"))
        shown = shown_of(own, answer["request_id"])
        metered(pipeline)
        ledger = read_all(own)
        missing_in_questdb(own, ledger)
    finally:
        pipeline.stop()
    return PlayedDay(own, pipeline, ledger, answer, shown)


def shown_of(settings: Settings, request_id: str) -> str:
    """Return the deltas of an answer, which Valkey keeps for a minute or two."""
    part = settings.redis
    if part.url is None:
        return ""
    with redis.Redis.from_url(part.url, username=part.user, password=revealed(part.password)) as client:
        entries = client.xrange(stream_key(settings.namespace, ASKING, request_id))
    return b"".join(fields[TEXT] for _, fields in entries).decode()


def quoted() -> TenantCommand:
    """Return the command that gives a tenant its quota, right after the one that creates the tenant."""
    now = clock_us()
    return TenantCommand(
        event_id=derive_id("quoted"),
        tenant_id=QUOTED,
        ts_event=now,
        ts_ingest=now,
        correlation_id="test",
        causation_id="test",
        action="SET",
        revision=1,
        changes=({"key": "quotas", "value": json.dumps(QUOTA)},),
    )


def silenced() -> list[DeploymentCommand]:
    """Return the commands that leave one tenant to ask a model about the news, right after all have been deployed."""
    now = time.time_ns() // 1000
    return [
        DeploymentCommand(
            event_id=derive_id("silenced", tenant.tenant_id),
            tenant_id=tenant.tenant_id,
            ts_event=now,
            ts_ingest=now,
            correlation_id="test",
            causation_id="test",
            account_id=tenant.accounts[0],
            deployment=NewsSentiment.name,
            action="RETIRE",
            revision=1,
            changes=(),
        )
        for tenant in TENANTS[1:]
    ]


def heard(pipeline: Pipeline, folder: Path) -> None:
    """Feed a news item, about which the built-in strategy asks a model."""
    file = folder / "news.jsonl"
    file.write_text(json.dumps(NEWS) + "\n")
    pipeline.run("feed", str(file), "--speed", "max", "--quiet")


def metered(pipeline: Pipeline) -> None:
    """Wait until each approved order, each fill and both answers are in the totals of PostgreSQL."""
    orders = read_orders(pipeline.settings)
    units = sum(one.outcome == "APPROVED" for one in orders.decisions) + len(orders.fills)

    def stored() -> int:
        rows = asyncio.run(postgres_rows(pipeline.settings, "SELECT coalesce(sum(records), 0) FROM usage_totals"))
        return int(rows[0][0])

    pipeline.wait_until(lambda: stored() == units + 2 * len(OF_AI), "all usage stored", STILL_S, SETTLE_POLL_S, stored)


def fed(pipeline: Pipeline, files: Sequence[Recording], speed: str = "max") -> None:
    """Feed recordings, and wait until all that follows has come to its end."""
    pipeline.start("feed", "feed", *(str(file.needed()) for file in files), "--speed", speed)
    pipeline.finish("feed", STILL_S)
    settle(pipeline, len(files))


def settle(pipeline: Pipeline, instruments: int) -> None:
    """Wait until every order of some instruments has come to its end."""
    seen = read_orders(pipeline.settings)

    def settled() -> bool:
        nonlocal seen
        seen = read_orders(pipeline.settings)
        return seen.settled(instruments)

    pipeline.wait_until(settled, "every order's end", STILL_S, SETTLE_POLL_S, lambda: seen.counts)


def missing_in_questdb(settings: Settings, ledger: Ledger) -> dict[str, tuple[int, int]]:
    """Wait until tables have as many rows as the topics; return, by table, how many those that do not have, and should.

    QuestDB shows rows some time after they were written.
    """
    wanted = {"ticks": len(ledger.ticks), "bars": len(ledger.bars), "trades": len(ledger.trades)}
    deadline = time.monotonic() + STORED_S
    while True:
        found = {table: questdb_count(settings, table) for table in wanted}
        if found == wanted or time.monotonic() > deadline:
            return {table: (found[table], wanted[table]) for table in wanted if found[table] != wanted[table]}
        time.sleep(0.2)


async def check(settings: Settings, ledger: Ledger, files: Sequence[Recording]) -> None:
    """Check that Kafka, PostgreSQL and QuestDB agree with the recordings and with each other."""
    ticks = sum(file.ticks for file in files)
    assert len(ledger.ticks) == len({(tick.symbol, tick.venue, tick.seq) for tick in ledger.ticks}) == ticks
    ledger.check_bars()
    ledger.check_orders()
    ledger.check_positions()
    stored = {
        "order_requests": len(ledger.requests),
        "decisions": len(ledger.decisions),
        "order_events": len(ledger.order_events),
        "fills": len(ledger.fills),
        "positions": len(ledger.last_positions()),
        "deployment_positions": len(ledger.last_shares()),
        "ai_requests": len(ledger.ai_requests),
        "ai_attempts": len(ledger.ai_attempts),
        "usage_totals": len(ledger.used()),
    }
    rows: dict[str, int] = {}
    deadline = time.monotonic() + STORED_S
    while rows != stored and time.monotonic() < deadline:
        await asyncio.sleep(STORED_POLL_S if rows else 0.0)
        rows = {table: (await postgres_rows(settings, f"SELECT count(*) FROM {table}"))[0][0] for table in stored}
    assert rows == stored
    assert await postgres_rows(settings, UNEQUAL) == []
    assert missing_in_questdb(settings, ledger) == {}
