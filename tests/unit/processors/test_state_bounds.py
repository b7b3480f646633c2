"""State is bounded by what is open and by how many instruments and accounts there are, not by how long it runs."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from processing import SECOND, START, heartbeat, tick

from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderEvent
from tradewind.schemas.market import Bar
from tradewind.testing import Pipeline, rows
from tradewind.topics import TICKS, USAGE

SYMBOLS = ("EURUSD", "GBPUSD")
BLOCKS, BLOCK_S = 24, 10
OF_ORDERS = {"risk": "reservation/", "execution": "order/"}
"""Whose state has keys of single orders."""
METERS = 2
"""Orders and fills, by instrument."""
REST = ("risk", "execution", "metering", "rating", "ai")
"""Who runs once more after each block: the last orders end, and what was used is counted."""


class Fickle(Strategy):
    """Trades at every bar, both ways."""

    name, interval_s = "fickle", 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View:
        """Go against the last move."""
        before, memory["close"] = memory.get("close", 0.0), bar.mid_close
        return View("SHORT" if bar.mid_close > before else "LONG", 1.0, "it is a test")


def block(random: Random, number: int, mids: dict[str, float]) -> list[Event]:
    """Return some seconds of quotes that wander."""
    events: list[Event] = []
    for n in range(BLOCK_S * 4):
        for symbol in SYMBOLS:
            mids[symbol] += random.gauss(0, 5e-5)
            at = START + (number * BLOCK_S * 4 + n) * SECOND // 4
            events.append(tick(at, mids[symbol], mids[symbol] + 1e-4, symbol=symbol, seq=n))
    return events


def kinds(pipeline: Pipeline) -> dict[str, Counter[str]]:
    """Return how many keys of each kind every agent keeps, kinds of single orders apart."""
    return {
        name: Counter(
            key.partition("/")[0]
            for state in agent.states().values()
            for key in state
            if not key.startswith(OF_ORDERS.get(name, "nothing"))
        )
        for name, agent in pipeline.agents.items()
        if name != "execution"
    }


def of_orders(pipeline: Pipeline, name: str) -> set[str]:
    """Return the orders that an agent keeps something of."""
    prefix = OF_ORDERS[name]
    return {key.removeprefix(prefix) for key in pipeline.agents[name].state() if key.startswith(prefix)}


@pytest.mark.parametrize("seed", range(3))
def test_state_does_not_grow_with_time(seed: int) -> None:
    """Orders are kept while they are open, and all else by instrument, account and interval; then nothing of orders."""
    random, mids, pipeline = Random(seed), dict.fromkeys(SYMBOLS, 1.1), Pipeline(strategies=[Fickle()])
    accounts = sum(len(tenant.accounts) for tenant in DEFAULT_TENANTS)
    owners, tasks = len(DEFAULT_TENANTS), USAGE.partitions
    tenants = Counter({"tenant": owners * tasks, "seeded": tasks})
    held = accounts * len(SYMBOLS)
    most = {
        "market": Counter({"bars": len(SYMBOLS), "doubted": len(SYMBOLS)}),
        "signals": Counter({"volatility": len(SYMBOLS), "instrument": len(SYMBOLS), "memory": held, "view": held})
        + Counter({"deployment": accounts * tasks, "seeded": tasks}),
        "tenancy": Counter({"tenant": owners, "deployment": accounts}),
        "sizing": tenants + Counter({"time": len(SYMBOLS)}),
        "risk": tenants
        + Counter({"exposure": held, "holding": held, "traded": accounts, "rate": owners * len(SYMBOLS)})
        + Counter({"mark": len(SYMBOLS) * tasks, "marked": tasks}),
        "portfolio": Counter({"position": held, "share": held, "mark": len(SYMBOLS)}),
        "metering": Counter({"sequence": owners * tasks}),
        "rating": tenants + Counter({"now": tasks, "source": owners * tasks, "total": owners * METERS * len(SYMBOLS)}),
        "ai": Counter({"tenant": owners, "seeded": 1}),
    }
    opened, ended = set[str](), set[str]()
    closing: list[Event] = [
        heartbeat(START + (BLOCKS * BLOCK_S + 60) * SECOND, symbol=symbol, closing=True) for symbol in SYMBOLS
    ]
    for number in range(BLOCKS + 1):
        events = block(random, number, mids) if number < BLOCKS else closing
        sent = [event for segment in rows(events, TICKS.name) for event in pipeline.feed(segment)]
        sent += [event for name in REST for event in pipeline.agents[name].run()]
        for event in sent:
            if isinstance(event, OrderEvent):
                (opened if event.status == "ACCEPTED" else ended).add(event.order_id)
        assert of_orders(pipeline, "execution") == opened - ended
        assert of_orders(pipeline, "risk") == opened - ended
        for name, found in kinds(pipeline).items():
            assert found <= most[name], f"{name} after {number * BLOCK_S} s: {found}"
    assert len(ended) > BLOCKS
    assert opened == ended
    assert not of_orders(pipeline, "risk") | of_orders(pipeline, "execution")
