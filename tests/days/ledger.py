"""What Kafka, PostgreSQL and QuestDB hold after a run, and whether it balances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import asyncpg

from tradewind import Bar, Decision, Fill, Heartbeat, OrderEvent, OrderRequest, Position, Tick, Trade, consume
from tradewind.connectors.postgres.connection import connect
from tradewind.connectors.settings import Settings
from tradewind.connectors.timeseries.reader import open_reader
from tradewind.infra.status.stored import MODELS
from tradewind.schemas.ai import AiAttempt, AiRequest
from tradewind.schemas.billing import Usage
from tradewind.schemas.event import Event
from tradewind.schemas.portfolio import DeploymentPosition
from tradewind.topics import (
    AI_ATTEMPTS,
    AI_REQUESTS,
    BARS,
    DECISIONS,
    DEPLOYMENT_POSITIONS,
    FILLS,
    ORDER_EVENTS,
    ORDER_REQUESTS,
    POSITIONS,
    TICKS,
    TRADES,
    USAGE,
    Topic,
)

FINAL = {"FILLED", "EXPIRED", "CANCELED", "REJECTED"}
Holding = tuple[str, str, str]


@dataclass(slots=True)
class Ledger:
    """Everything that a run left in Kafka, as read_committed shows it; lists keep repeats, so that they are seen."""

    ticks: list[Tick] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    requests: list[OrderRequest] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    order_events: list[OrderEvent] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    shares: list[DeploymentPosition] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    ai_requests: list[AiRequest] = field(default_factory=list)
    ai_attempts: list[AiAttempt] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    """Instruments whose closing heartbeat has come through to the decisions."""

    def used(self) -> Counter[tuple[str, str, str]]:
        """Return the sum of usage by tenant, meter and dimension: what `rating` must have come to."""
        found: Counter[tuple[str, str, str]] = Counter()
        for usage in self.usage:
            found[usage.tenant_id, usage.meter, usage.dimension] += usage.quantity
        return found

    def check_usage(self) -> None:
        """Check that approved orders and fills are used once each, and that no source has left out a number."""
        once(usage.event_id for usage in self.usage)
        approved = Counter(one.tenant_id for one in self.decisions if one.outcome == "APPROVED")
        filled = Counter(fill.tenant_id for fill in self.fills)
        for meter, wanted in (("orders", approved), ("fills", filled)):
            assert Counter(usage.tenant_id for usage in self.usage if usage.meter == meter) == wanted
        numbers: dict[tuple[str, str], set[int]] = {}
        for usage in self.usage:
            numbers.setdefault((usage.source, usage.tenant_id), set()).add(usage.sequence)
        assert all(found == set(range(len(found))) for found in numbers.values())

    def check_orders(self) -> None:
        """Check that every request has one decision, and every approved order ends once, and no other."""
        requested = [request.order_id for request in self.requests]
        assert once(requested) == once(decision.order_id for decision in self.decisions)
        approved = {decision.order_id for decision in self.decisions if decision.outcome == "APPROVED"}
        ended = [event.order_id for event in self.order_events if event.status in FINAL]
        assert once(ended) == approved
        filled = {event.order_id for event in self.order_events if event.status == "FILLED"}
        assert once(fill.order_id for fill in self.fills) == filled

    def check_bars(self) -> None:
        """Check that the one-second bars hold every tick, and so do the one-minute bars."""
        once(bar.event_id for bar in self.bars)
        for interval_s in (1, 60):
            assert sum(bar.count for bar in self.bars if bar.interval_s == interval_s) == len(self.ticks)

    def holdings(self) -> dict[Holding, Decimal]:
        """Return the quantities by tenant, account and instrument, from the fills."""
        total: dict[Holding, Decimal] = {}
        for fill in self.fills:
            signed = fill.quantity if fill.side == "BUY" else -fill.quantity
            key = (str(fill.tenant_id), fill.account_id, f"{fill.symbol}.{fill.venue}")
            total[key] = total.get(key, Decimal(0)) + signed
        return total

    def last_positions(self) -> dict[Holding, Position]:
        """Return the newest position of each holding."""
        last: dict[Holding, Position] = {}
        for position in self.positions:
            key = (str(position.tenant_id), position.account_id, f"{position.symbol}.{position.venue}")
            assert key not in last or position.version > last[key].version, f"{key}: a version came twice"
            last[key] = position
        return last

    def last_shares(self) -> dict[tuple[str, str, str, str], DeploymentPosition]:
        """Return the newest position of each deployment, by tenant, account, name and instrument."""
        last: dict[tuple[str, str, str, str], DeploymentPosition] = {}
        for one in self.shares:
            key = (one.tenant_id, one.account_id, one.deployment, f"{one.symbol}.{one.venue}")
            assert key not in last or one.version > last[key].version, f"{key}: a version came twice"
            last[key] = one
        return last

    def check_positions(self) -> None:
        """Check that positions are the sum of the fills, and of what the deployments of their account hold."""
        last, summed = self.last_positions(), dict.fromkeys(self.holdings(), Decimal(0))
        assert {key: position.quantity for key, position in last.items()} == self.holdings()
        assert sum(position.fills for position in last.values()) == len(self.fills)
        for (tenant, account, _, name), share in self.last_shares().items():
            summed[tenant, account, name] += share.quantity
        assert summed == self.holdings()
        assert sum(share.fills for share in self.last_shares().values()) == len(self.fills)

    def fill_prices(self) -> dict[str, tuple[Decimal, int]]:
        """Return price and quote of every filled order."""
        return {fill.order_id: (fill.price, fill.quote_seq) for fill in self.fills}

    def denials(self) -> Counter[str]:
        """Return how often each denial code occurred."""
        return Counter(code for decision in self.decisions for code in decision.codes)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many there are of each kind."""
        return tuple(map(len, (self.requests, self.decisions, self.order_events, self.fills, self.positions)))

    def settled(self, instruments: int) -> bool:
        """Whether all that the sources caused has come to its end."""
        approved = sum(decision.outcome == "APPROVED" for decision in self.decisions)
        ended = sum(event.status in FINAL for event in self.order_events)
        counted = sum(position.fills for position in self.last_positions().values())
        return len(self.closed) == instruments and approved == ended and counted == len(self.fills)


def once(ids: Any) -> set[str]:
    """Return the ids as a set; fails where one came twice."""
    counted = Counter(ids)
    twice = [name for name, count in counted.items() if count > 1]
    assert not twice, f"{len(twice)} ids came more than once, such as {twice[0]}"
    return set(counted)


def read_orders(settings: Settings) -> Ledger:
    """Read what followed from the ticks: requests, decisions, order events, fills, positions."""
    ledger = Ledger()

    def decision(event: Event) -> None:
        if isinstance(event, Decision):
            ledger.decisions.append(event)
        elif isinstance(event, Heartbeat) and event.closing:
            ledger.closed.add(f"{event.symbol}.{event.venue}")

    _each(settings, DECISIONS, decision)
    _each(settings, ORDER_REQUESTS, lambda event: _keep(ledger.requests, event, OrderRequest))
    _each(settings, ORDER_EVENTS, lambda event: _keep(ledger.order_events, event, OrderEvent))
    _each(settings, FILLS, lambda event: _keep(ledger.fills, event, Fill))
    _each(settings, POSITIONS, lambda event: _keep(ledger.positions, event, Position))
    _each(settings, DEPLOYMENT_POSITIONS, lambda event: _keep(ledger.shares, event, DeploymentPosition))
    return ledger


def decided(settings: Settings) -> bool:
    """Tell whether there is any decision yet."""
    return any(isinstance(record.event, Decision) for record in consume(DECISIONS, settings=settings))


def read_all(settings: Settings) -> Ledger:
    """Read everything."""
    ledger = read_orders(settings)
    _each(settings, TICKS, lambda event: _keep(ledger.ticks, event, Tick))
    _each(settings, TRADES, lambda event: _keep(ledger.trades, event, Trade))
    _each(settings, BARS, lambda event: _keep(ledger.bars, event, Bar))
    _each(settings, AI_REQUESTS, lambda event: _keep(ledger.ai_requests, event, AiRequest))
    _each(settings, AI_ATTEMPTS, lambda event: _keep(ledger.ai_attempts, event, AiAttempt))
    ledger.usage = read_usage(settings)
    return ledger


def read_usage(settings: Settings) -> list[Usage]:
    """Read what was metered."""
    found: list[Usage] = []
    _each(settings, USAGE, lambda event: _keep(found, event, Usage))
    return found


def _each(settings: Settings, topic: Topic, take: Callable[[Event], None]) -> None:
    for record in consume(topic, settings=settings):
        if record.event is not None:
            take(record.event)


def _keep(into: list[Any], event: Event, model: type[Event]) -> None:
    if isinstance(event, model):
        into.append(event)


def questdb_count(settings: Settings, table: str) -> int:
    """Return the rows of a table in the time-series store, whichever it is; 0 while there is no such table."""
    reader = open_reader(settings)
    try:
        return reader.count(MODELS[table])
    finally:
        reader.close()


async def postgres_rows(settings: Settings, query: str) -> list[asyncpg.Record]:
    """Return the rows of a query."""
    connection = await connect(settings)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()
