"""The test kit: agents and strategies without a broker; what agents do there is held to Kafka by the contract."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processing import START, heartbeat, tick
from runtime.records import NO_PRICE

from tradewind.connectors.kafka.errors import WrongEvent
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Segment, State, rows_of
from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderRequest
from tradewind.schemas.market import Bar, Heartbeat, Tick
from tradewind.schemas.portfolio import Position
from tradewind.schemas.signals import Signal
from tradewind.streams.portfolio import sizing
from tradewind.streams.runtime import Agent, AgentCrashed
from tradewind.testing import MemoryAgent, MemoryBroker, MemoryState, Pipeline, cut, rows
from tradewind.topics import BARS, LATE_TICKS, SIGNALS, TICKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "testing.md"
STRATEGY_LINES = 10


def test_every_example_of_the_page_runs_one_after_the_other() -> None:
    """As it stands there; the first one tests a strategy in ten lines besides its imports."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    lines = [line for line in blocks[0].splitlines() if line and not line.startswith("from ")]
    assert len(lines) <= STRATEGY_LINES
    names: dict[str, Any] = {"__name__": "example"}
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), names)
    assert names["kit"].agent.name == "market"


class Rising(Strategy):
    """Buys what closed higher than the bar before."""

    name = "rising"
    interval_s = 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        before, memory["close"] = memory.get("close"), bar.mid_close
        return View("LONG", 1.0, "closed higher") if before and bar.mid_close > before else None


def test_a_strategy_trades_in_memory() -> None:
    """Ticks in, positions out, through every agent."""
    ticks = [tick(START + 500_000 * at, 1 + at / 1000, 1 + at / 1000) for at in range(20)]
    outcome = Pipeline(strategies=[Rising()]).run(ticks)
    assert outcome.of(Signal)
    assert outcome.of(Fill)
    assert outcome.of(Position)[-1].quantity > 0


def test_an_agent_that_waits_for_tenants_has_those_that_prepare_writes() -> None:
    """So that it does what it would do on a stack that was just started, and does not stand still."""
    told: dict[str, Any] = {"ts_event": START, "ts_ingest": START, "correlation_id": "c", "causation_id": "c"}
    asked = Signal(
        **told,
        event_id="1",
        symbol="EURUSD",
        venue="T",
        strategy="ml",
        direction="LONG",
        strength=0.5,
        volatility=0.0004,
        quote_bid=1.1,
        quote_ask=1.1001,
        quote_ts=START,
        reason="a model says so",
    )
    kit = MemoryAgent(sizing(Settings(_env_file=None)))
    made = kit.process({SIGNALS: [asked, replace(asked, event_id="2", volatility=math.nan)]})
    owners = [(one.tenant_id, one.account_id, one.deployment) for one in made if isinstance(one, OrderRequest)]
    assert owners == [(name, "main", "ml") for name in ("alpha", "beta")]
    assert len(kit.dead_letters()) == 1
    assert MemoryAgent(sizing(Settings(_env_file=None)), MemoryBroker()).process({SIGNALS: [asked]}) == []


def counting(state: State, segment: Segment) -> list[Event]:
    """Count the events of a task, and pass them on; no price is a bug."""
    events = rows_of(segment).events
    known = state.get("count", Heartbeat) or heartbeat(0)
    state.put("count", replace(known, ts_event=known.ts_event + len(events)))
    if any(isinstance(event, Tick) and event.bid == NO_PRICE for event in events):
        raise KeyError
    return list(events)


def silent(state: State, segment: Segment) -> list[Event]:
    """Count, and send nothing."""
    return counting(state, segment)[:0]


COUNTING = Agent(name="counting", inputs=(TICKS,), outputs=(LATE_TICKS, BARS), processor=counting)


def test_a_restart_goes_on_from_what_is_committed() -> None:
    """State and positions come from the changelog and the group, as on Kafka."""
    kit = MemoryAgent(COUNTING)
    kit.process({TICKS: [tick(1), tick(2)]})
    before = kit.states(), kit.positions()
    kit.restart()
    assert (kit.states(), kit.positions()) == before
    assert kit.process({TICKS: [tick(3)]}) == [tick(3)]
    assert kit.state()["count"].ts_event == 3  # type: ignore[attr-defined]


def test_a_bug_is_met_again_until_the_agent_is_repaired() -> None:
    """What was sent before it stays."""
    kit = MemoryAgent(COUNTING)
    kit.process({TICKS: [tick(1)]})
    for _ in range(2):
        with pytest.raises(AgentCrashed, match=r"offset 1; nothing of the batch is committed"):
            kit.process({TICKS: [tick(2, NO_PRICE)]}) if not kit.broker.records(TICKS)[1:] else kit.run()
    repaired = MemoryAgent(replace(COUNTING, processor=lambda state, segment: []), kit.broker)
    assert repaired.run() == []
    assert kit.broker.events(LATE_TICKS) == [tick(1)]
    assert sum(repaired.positions().values()) == 2


def test_time_passes_for_every_instrument_that_was_seen() -> None:
    """Also where some of its records are no events."""
    kit = MemoryAgent(COUNTING)
    kit.process({TICKS: [tick(1), tick(1, symbol="XAUUSD")]})
    kit.broker.append(TICKS, b"garbage")
    sent = kit.advance(9)
    assert sorted(event.symbol for event in sent if isinstance(event, Heartbeat)) == ["EURUSD", "XAUUSD"]
    assert {event.ts_event for event in sent if isinstance(event, Heartbeat)} == {9}


def test_states_of_tasks_that_keep_the_same_key_are_told_apart() -> None:
    """One dictionary cannot hold both."""
    kit = MemoryAgent(COUNTING)
    kit.process({TICKS: [tick(1, symbol=symbol) for symbol in ("EURUSD", "XAUUSD", "BTCUSD", "ETHUSD")]})
    assert sum(values["count"].ts_event for values in kit.states().values() if values) == 4  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"keep \['count'\]: use states"):
        kit.state()


def test_an_event_is_published_where_it_belongs_only() -> None:
    """A mistake of a test is told at once, and not as a dead letter."""
    with pytest.raises(WrongEvent, match=r"market\.bars carries Bar or Heartbeat, and was given an event Tick"):
        MemoryBroker().publish(BARS, tick(1))


def test_agents_on_one_broker_are_a_pipeline() -> None:
    """What one sends, the other reads; each has its own group."""
    broker = MemoryBroker()
    first = MemoryAgent(COUNTING, broker)
    second = MemoryAgent(
        replace(COUNTING, name="second", inputs=(LATE_TICKS,), outputs=(BARS,), processor=silent), broker
    )
    first.process({TICKS: [tick(1), tick(2)]})
    second.run()
    assert second.state()["count"].ts_event == 2  # type: ignore[attr-defined]


def test_state_gives_back_what_was_put_and_sorts_its_keys() -> None:
    """As the state of a task does, a wrong model included."""
    state, beat = MemoryState(), Heartbeat(symbol="A", venue="B", ts_event=1, ts_ingest=1)
    for key in ("b/2", "a/1", "b/1"):
        state.put(key, beat)
    state.delete("a/1")
    state.delete("never/there")
    assert list(state.keys("b/")) == ["b/1", "b/2"]
    assert state.get("b/1", Heartbeat) is beat
    with pytest.raises(TypeError, match="is a Heartbeat"):
        state.get("b/1", Bar)


def test_cut_keeps_every_record_in_order() -> None:
    """Places count over all segments; those at a border change nothing."""
    stream = [tick(START + at) for at in range(5)] + [Heartbeat(symbol="A", venue="B", ts_event=1, ts_ingest=1)]
    pieces = list(cut(rows(stream), [0, 2, 5, 99]))
    assert [len(piece) for piece in pieces] == [2, 3, 1]
    assert [offset for piece in pieces for offset in piece.offsets.tolist()] == list(range(6))
