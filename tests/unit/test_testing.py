"""The test kit: a strategy is tested in ten lines, without a broker."""

from __future__ import annotations

import pytest
from processing import START, tick

from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.schemas.execution import Fill
from tradewind.schemas.market import Bar, Heartbeat
from tradewind.schemas.portfolio import Position
from tradewind.schemas.signals import Signal
from tradewind.testing import MemoryState, Pipeline, cut, rows


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
