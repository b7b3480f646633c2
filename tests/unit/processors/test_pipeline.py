"""The whole trading path on real quotes: every agent in memory, with the default tenants and strategy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache

import pytest
from processing import START, real_quotes

from tradewind.processors.identity import derive_id
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.schemas.codec import MODELS, Codec
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.market import Heartbeat, Mark, Tick
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision, KillSwitch
from tradewind.schemas.signals import Signal
from tradewind.testing import Outcome, Pipeline

SYMBOLS = ("EURUSD", "XAUUSD")


@cache
def played(symbol: str) -> tuple[Pipeline, Outcome]:
    """Return a pipeline after some hours of quotes, and what it gave."""
    pipeline = Pipeline()
    return pipeline, pipeline.run(real_quotes(symbol))


def day(symbol: str) -> Outcome:
    """Return what some hours give."""
    return played(symbol)[1]


@pytest.mark.parametrize("symbol", [SYMBOLS[0], pytest.param(SYMBOLS[1], marks=pytest.mark.long)])
def test_a_whole_day_gives_some_hundreds_of_signals_and_fills_for_every_tenant(symbol: str) -> None:
    """The defaults show trading, not noise and not silence; no quote of the day is late."""
    sent = Pipeline().run(real_quotes(symbol, whole=True))
    said, filled = (Counter(one.tenant_id for one in sent.of(kind)) for kind in (Signal, Fill))
    assert all(100 <= said[tenant.tenant_id] <= 2_000 for tenant in DEFAULT_TENANTS)
    assert all(filled[tenant.tenant_id] > 0 for tenant in DEFAULT_TENANTS)
    assert not sent.of(Tick)


def test_every_limit_denies_something() -> None:
    """Over both days; the fourth code comes by command."""
    found = {code for symbol in SYMBOLS for decision in day(symbol).of(Decision) for code in decision.codes}
    assert found == {"STALE_PRICE", "MAX_ORDER_SIZE", "MAX_POSITION"}


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_request_is_decided_once_and_every_approved_order_ends_once(symbol: str) -> None:
    """Requests, decisions, orders and fills balance."""
    sent = day(symbol)
    decisions = sent.of(Decision)
    assert sorted(one.order_id for one in decisions) == sorted(one.order_id for one in sent.of(OrderRequest))
    approved = Counter(one.order_id for one in decisions if one.outcome == "APPROVED")
    events = sent.of(OrderEvent)
    assert Counter(one.order_id for one in events if one.status == "ACCEPTED") == approved
    assert Counter(one.order_id for one in events if one.status != "ACCEPTED") == approved
    assert Counter(one.order_id for one in events if one.status == "FILLED") == Counter(
        fill.order_id for fill in sent.of(Fill)
    )


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_positions_are_the_sum_of_fills(symbol: str) -> None:
    """To the last decimal."""
    sent = day(symbol)
    last = {position.tenant_id: position for position in sent.of(Position)}
    for tenant_id, position in last.items():
        own = [fill for fill in sent.of(Fill) if fill.tenant_id == tenant_id]
        assert position.quantity == sum(fill.quantity if fill.side == "BUY" else -fill.quantity for fill in own)
        assert position.fills == len(own)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_ids_are_unique(symbol: str) -> None:
    """No two events of a day share an id."""
    ids = [facts(event)["event_id"] for event in day(symbol).events if not isinstance(event, Heartbeat | Mark)]
    assert len(set(ids)) == len(ids)


def test_market_orders_are_decided_and_filled_alike_at_any_speed() -> None:
    """The size of the batches says how far ticks run ahead: nothing that market orders meet depends on it."""
    small = Pipeline(tenants=DEFAULT_TENANTS[:1], segment_records=500).run(real_quotes("EURUSD"))
    large = Pipeline(tenants=DEFAULT_TENANTS[:1], segment_records=25_000).run(real_quotes("EURUSD"))
    for model in (Signal, Decision, Fill):
        assert by_id(small.of(model)) == by_id(large.of(model))


def by_id(events: Sequence[Event]) -> dict[object, dict[str, object]]:
    """Return the facts of each event by its id."""
    return {facts(event)["event_id"]: facts(event) for event in events}


def facts(event: Event) -> dict[str, object]:
    """Return an event without the time at which it came in."""
    return {name: value for name, value in event.to_dict().items() if name != "ts_ingest"}


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_all_that_is_sent_and_kept_is_restored_exactly(symbol: str) -> None:
    """Every event and every state goes through its schema and comes back the same: a restart changes nothing."""
    ids = {name: number for number, name in enumerate(sorted(MODELS))}
    others: dict[int, str] = {}
    codec = Codec(ids, others.__getitem__)
    pipeline, sent = played(symbol)
    tasks = [task for agent in pipeline.agents.values() for task in agent.states().values()]
    states = [value for task in tasks for value in task.values()]
    for event in [*sent.events, *states]:
        assert codec.decode(codec.encode(event)) == event


def test_a_kill_switch_stops_a_tenant_and_no_other() -> None:
    """From the command on, everything of the tenant is denied with its code."""
    pipeline = Pipeline()
    pipeline.command(
        KillSwitch(
            event_id=derive_id("kill"),
            tenant_id="alpha",
            ts_event=START,
            ts_ingest=START,
            correlation_id="c",
            causation_id="c",
            engaged=True,
            reason="a test",
        )
    )
    sent = pipeline.run(real_quotes("EURUSD"))
    assert all("KILL_SWITCH" in one.codes for one in sent.of(Decision) if one.tenant_id == "alpha")
    assert {fill.tenant_id for fill in sent.of(Fill)} == {"beta"}
