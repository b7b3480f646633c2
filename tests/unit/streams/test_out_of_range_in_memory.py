"""What is out of range becomes a dead letter of any agent of ours, held inputs included, and stops nobody."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from processing import START, decision, passed_on, tenant_events, tick

from tests.unit.schemas.strategies import ordinary
from tradewind.connectors.settings import Settings
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent
from tradewind.schemas.signals import Signal
from tradewind.streams.execution import execution
from tradewind.streams.portfolio import sizing
from tradewind.testing import MemoryAgent
from tradewind.topics import DECISIONS, SIGNALS, TENANT_CHANGES, TICKS

SETTINGS = Settings(_env_file=None)
SIGNAL: dict[str, Any] = {
    "symbol": "EURUSD",
    "volatility": 0.0004,
    "quote_bid": 1.1,
    "quote_ask": 1.1001,
    "strength": 0.5,
}


def signal(number: int, **changes: Any) -> Event:
    """Return a signal that two tenants make orders of."""
    return replace(ordinary(Signal.SCHEMA), event_id=f"s{number}", **{**SIGNAL, **changes})  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("volatility", value) for value in (math.nan, math.inf, -1.0)),
        *(("strength", value) for value in (math.nan, math.inf, 2.0, -1.0)),
        *(("quote_bid", value) for value in (math.nan, 0.0, -1.1, 1.2)),
        *(("quote_ask", value) for value in (1e300, 0.0)),
        *(("symbol", ""), ("venue", "x" * 257), ("ts_event", -1), ("quote_ts", 2**63 - 1)),
    ],
)
def test_a_signal_out_of_range_is_a_letter_between_two_that_are_sized(field: str, value: Any) -> None:
    """The letter names the field; sent back, it fails again as the second attempt."""
    kit, alone = MemoryAgent(sizing(SETTINGS)), MemoryAgent(sizing(SETTINGS))
    for one in (kit, alone):
        one.process({TENANT_CHANGES: tenant_events()})
    good = [signal(1), signal(3)]
    expected = alone.process({SIGNALS: good})
    assert kit.process({SIGNALS: [good[0], signal(2, **{field: value}), good[1]]}) == expected
    assert len(expected) == 4
    (letter,) = kit.dead_letters()
    assert (letter.error, letter.topic) == ("POISON", "signals.signals")
    assert field in letter.reason
    kit.redrive()
    assert kit.run() == []
    assert [one.attempt for one in kit.dead_letters()] == [1, 2]


def test_a_held_tick_out_of_range_holds_nothing() -> None:
    """A time that no heartbeat will ever reach does not block the ticks behind it."""
    kit = MemoryAgent(execution(SETTINGS))
    order = decision(1)
    bad = [tick(2**62), tick(START, math.nan), tick(START + 1, -1.0)]
    kit.process({DECISIONS: [order, *passed_on(START + 10**9)], TICKS: [*bad, tick(START + 10**6, 1.0)]})
    sent = [event for topic in kit.agent.outputs for event in kit.broker.events(topic)]
    assert [type(event) for event in sent] == [OrderEvent, OrderEvent, Fill]
    assert [letter.error for letter in kit.dead_letters()] == ["POISON"] * 3
