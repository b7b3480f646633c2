"""Strategies are asked about every bar; one that fails harms nobody else."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing import START, as_columns, assert_law, bar, deployed, heartbeat, ingested, places, quote_streams, result

from tradewind.processors.batch import Processor
from tradewind.processors.identity import derive_id
from tradewind.processors.market.processor import bars
from tradewind.processors.signals.ema import EmaCrossover
from tradewind.processors.signals.memories import MEMORY_BYTES
from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Heartbeat, Tick
from tradewind.schemas.notifications import Alert
from tradewind.schemas.signals import Signal, StrategyState
from tradewind.testing import MemoryState, run


class Every(Strategy):
    """Says something of every bar, and counts them."""

    name = "every"
    interval_s = 60

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        memory["closes"] = [*memory.get("closes", []), bar.mid_close][-5:]
        memory["seen"] = memory.get("seen", 0) + 1
        return View("LONG" if memory["seen"] % 2 else "SHORT", 0.5, f"bar {memory['seen']}")


class Fragile(Strategy):
    """Does something wrong on its third bar of an instrument, after it has begun to change its memory."""

    name = "fragile"
    interval_s = 60

    def __init__(self, wrong: str = "raise") -> None:
        self.wrong = wrong

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> Any:
        memory["seen"] = memory.get("seen", 0) + 1
        if memory["seen"] < 3:
            return View("LONG", 1.0, "fine so far")
        memory["half"] = "written"
        return WRONGS[self.wrong](memory)


def _raise(error: BaseException) -> Any:
    raise error


class Unprintable(Exception):
    """An error whose text is an error."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def _remember(memory: dict[str, JSON], value: Any) -> Any:
    memory["value"] = value


WRONGS: dict[str, Any] = {
    "raise": lambda memory: memory["nothing"],
    "exit": lambda memory: _raise(SystemExit(1)),
    "unprintable": lambda memory: _raise(Unprintable()),
    "surrogate": lambda memory: _raise(ValueError("\ud800")),
    "text": lambda memory: "LONG",
    "sideways": lambda memory: View("SIDEWAYS", 1.0, "no such direction"),  # type: ignore[arg-type]
    "strong": lambda memory: View("LONG", 1.5, "stronger than strong"),
    "nan": lambda memory: View("LONG", math.nan, "not a number"),
    "long": lambda memory: View("LONG", 1.0, "x" * 501),
    "lines": lambda memory: View("LONG", 1.0, "one\ntwo"),
    "object": lambda memory: _remember(memory, object()),
    "infinity": lambda memory: _remember(memory, math.inf),
    "tuple": lambda memory: _remember(memory, (1, 2)),
    "number as key": lambda memory: _remember(memory, {1: 2}),
    "large": lambda memory: _remember(memory, "x" * MEMORY_BYTES),
    "itself": lambda memory: _remember(memory, memory),
}


def make() -> Processor:
    """Return an agent with a built-in, a good and a failing strategy."""
    return deployed((EmaCrossover(1, 2, 0.0), Every(), Fragile()))


@given(quote_streams(), places)
def test_cuts_change_nothing(stream: list[Any], cuts: list[int]) -> None:
    """f(a + b) = f(a) ; f(b), for bars of several instruments and lengths with heartbeats among them."""
    made = [event for event in result(bars(), as_columns(ingested(stream)))[0] if not hasattr(event, "bid")]
    assert_law(make, ingested(made, "market.bars"), cuts)


@given(st.lists(st.floats(0.5, 2.0), max_size=40), places)
def test_cuts_change_no_average(closes: list[float], cuts: list[int]) -> None:
    """The recursion goes bar by bar, so its last bit does not depend on the cuts."""
    stream = [bar(START + 60_000_000 * at, close) for at, close in enumerate(closes)]
    assert_law(make, ingested(stream), cuts)


def test_a_signal_carries_the_closing_quote_and_its_bar() -> None:
    """Risk judges staleness on it, and its id is a fact of business."""
    closed = bar(START, bid_close=1.0, ask_close=1.5, quote_ts=START - 7)
    (segment,) = ingested([closed])
    (sent,) = deployed([Every()])(MemoryState(), segment)
    assert isinstance(sent, Signal)
    assert sent.event_id == derive_id("Signal", "alpha/main/every", closed.event_id)
    assert (sent.quote_bid, sent.quote_ask, sent.quote_ts) == (1.0, 1.5, START - 7)
    assert (sent.ts_event, sent.ts_ingest, sent.causation_id) == (START, 1_000, closed.event_id)
    assert sent.volatility == 0.0


def test_heartbeats_pass_unchanged_in_their_order() -> None:
    """What risk and the venue wait for."""
    first, last = heartbeat(START), heartbeat(START + 9, closing=True)
    sent = run(deployed([Every()]), [first, bar(START + 1), last])
    assert [sent[0], sent[-1]] == [first, last]


@given(quote_streams())
def test_what_follows_a_heartbeat_is_later(stream: list[Any]) -> None:
    """Its promise, which the venue fills by: bars tell the time, and heartbeats where there is no bar."""
    told: dict[Any, int] = {}
    made = result(bars(), as_columns(ingested([one for one in stream if isinstance(one, Tick)])))[0]
    for event in run(deployed([Every()]), [one for one in made if not isinstance(one, Tick)]):
        if isinstance(event, Heartbeat):
            assert event.ts_event > told.get((event.symbol, event.venue), -1)
            told[event.symbol, event.venue] = event.ts_event
        elif isinstance(event, Signal):
            assert event.ts_event > told.get((event.symbol, event.venue), -1)


def test_a_bar_that_promises_something_becomes_a_heartbeat_behind_its_signals() -> None:
    """A bar that another one of its time follows promises less than its own time, and becomes none."""
    first, last = bar(START, reached_ts=START - 1), bar(START, 1.5, interval_s=1, reached_ts=START + 999_999)
    sent = run(deployed([Every()]), [first, last])
    assert [type(event) for event in sent] == [Signal, Heartbeat]
    assert isinstance(sent[1], Heartbeat)
    assert sent[1].ts_event == START + 999_999


def test_volatility_is_the_weighted_deviation_of_returns() -> None:
    """RiskMetrics: the first return starts it, each further one has 6 % of the weight."""
    sent = run(deployed([Every()]), [bar(START + at, close) for at, close in enumerate((1.0, 1.1, 1.1))])
    found = [event.volatility for event in sent if isinstance(event, Signal)]
    assert found == pytest.approx([0.0, 0.1, math.sqrt(0.94) * 0.1])


@pytest.mark.parametrize("wrong", sorted(WRONGS))
def test_what_fails_is_quarantined_once_and_its_neighbours_go_on(wrong: str) -> None:
    """One alert; no signal or memory of the failed bar; the others as if it had never been."""
    stream = [bar(START + at, symbol=symbol) for at in range(6) for symbol in ("EURUSD", "XAUUSD")]
    state = MemoryState()
    sent = run(deployed([Every(), Fragile(wrong)]), stream, state)
    alerts = [event for event in sent if isinstance(event, Alert)]
    assert [(alert.code, alert.source) for alert in alerts] == [("STRATEGY_QUARANTINED", "fragile")]
    assert alerts[0].message.encode()
    of_fragile = [event for event in sent if isinstance(event, Signal) and event.strategy == "fragile"]
    assert len(of_fragile) == 4
    memory = state.get("memory/alpha/main/fragile/1/1/EURUSD.OANDA", StrategyState)
    assert memory is not None
    assert memory.memory == '{"seen": 2}'
    others = (Alert, Signal)
    rest = [event for event in sent if not isinstance(event, others) or getattr(event, "strategy", "") == "every"]
    assert rest == run(deployed([Every()]), stream)


def test_an_alert_says_where_it_failed() -> None:
    """A person can mend it from the alert alone, and the text is the same on every machine."""
    sent = run(deployed([Fragile()]), [bar(START + at) for at in range(3)])
    (alert,) = [event for event in sent if isinstance(event, Alert)]
    assert "KeyError: 'nothing'" in alert.message
    assert "test_signals.py" in alert.message
    assert "/" not in alert.message.split("asked again:")[-1]


def test_a_new_version_is_out_of_quarantine_with_empty_memory() -> None:
    """Mending a strategy is all that it takes."""

    class Mended(Every):
        name = "fragile"
        version = 2

    state = MemoryState()
    run(deployed([Fragile()]), [bar(START + at) for at in range(4)], state)
    assert said(run(deployed([Fragile()]), [bar(START + 5)], state)) == []
    sent = run(deployed([Mended()]), [bar(START + 6)], state)
    assert [event.reason for event in sent if isinstance(event, Signal)] == ["bar 1"]


def test_memory_is_of_one_strategy_and_instrument() -> None:
    """What is remembered of one instrument is not seen by another."""
    sent = run(deployed([Every()]), [bar(START, symbol=symbol) for symbol in ("EURUSD", "XAUUSD", "EURUSD")])
    assert [event.reason for event in sent if isinstance(event, Signal)] == ["bar 1", "bar 1", "bar 2"]


def test_names_are_checked() -> None:
    """Two strategies of one name would share memory and ids."""
    with pytest.raises(ValueError, match="a name of its own"):
        deployed([Every(), Every()])


def said(events: list[Event]) -> list[Event]:
    """Return events without heartbeats."""
    return [event for event in events if not isinstance(event, Heartbeat)]


def ema(closes: list[float]) -> list[Event]:
    """Return what the crossover of 2 and 4 bars says of closes."""
    stream = [bar(START + at, close) for at, close in enumerate(closes)]
    return run(deployed([EmaCrossover(2, 4, 0.1)]), stream)


def test_the_crossover_turns_with_the_trend_and_says_so_once() -> None:
    """LONG in a rise, SHORT in the fall after it, nothing in between."""
    rise, fall = [1 + at / 100 for at in range(10)], [1.1 - at / 50 for at in range(1, 10)]
    assert [event.direction for event in ema(rise + fall) if isinstance(event, Signal)] == ["LONG", "SHORT"]


def test_the_crossover_is_silent_where_nothing_moves() -> None:
    """No deviation, no signal; nor before the slow average has seen its span."""
    assert said(ema([1.0] * 50)) == []
    assert said(ema([1.0, 1.1, 1.2])) == []


def test_spans_are_checked() -> None:
    """A fast average is faster than the slow one."""
    with pytest.raises(ValueError, match="fast < slow"):
        EmaCrossover(5, 5)
