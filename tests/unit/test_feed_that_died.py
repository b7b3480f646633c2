"""A feed that died holds up nobody, unless its last tick is in doubt; a closing heartbeat by hand ends it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from processing import LEAP, SECOND, START, tick

from tradewind.connectors.kafka.json_events import parse_event
from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OpenOrderState, OrderEvent
from tradewind.schemas.market import Bar, Heartbeat, Tick
from tradewind.testing import Pipeline, rows
from tradewind.topics import TICKS
from tradewind.topics.partitioner import partition_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "observability.md"
DEAD = "EURUSD"
PARTITION = partition_of(f"{DEAD}.OANDA".encode(), TICKS.partitions)
ALIVE = next(
    symbol
    for symbol in INSTRUMENTS
    if symbol != DEAD and partition_of(f"{symbol}.OANDA".encode(), TICKS.partitions) == PARTITION
)


class Always(Strategy):
    """Buys at every bar."""

    name, interval_s = "always", 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View:
        """Say so."""
        return View("LONG", 1.0, "it is a test")


def quotes(symbol: str, first_s: int, last_s: int) -> list[Event]:
    """Return four quotes a second that rise and fall."""
    at = range(first_s * 4, last_s * 4)
    return [tick(START + n * SECOND // 4, 1.1 + n % 7 / 1e4, 1.1002 + n % 7 / 1e4, symbol=symbol, seq=n) for n in at]


def fed(pipeline: Pipeline, events: list[Event]) -> list[Event]:
    """Have every agent process events twice over: what one sends in the end reaches the others."""
    sent = [event for segment in rows(events, TICKS.name) for event in pipeline.feed(segment)]
    return sent + [event for name in pipeline.agents for event in pipeline.agents[name].run()]


def shown() -> Heartbeat:
    """Return the heartbeat that the page for people on call has them publish."""
    (line,) = re.findall(r"^echo '({.*})' \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    event = parse_event(line, TICKS)
    assert isinstance(event, Heartbeat)
    assert (event.symbol, event.closing) == (DEAD, True)
    return event


def test_a_dead_feed_holds_up_no_neighbour() -> None:
    """Its ticks go by the promises that they made themselves; what it leaves are open bars and orders."""
    pipeline = Pipeline(strategies=[Always()])
    execution = pipeline.agents["execution"]
    sent = fed(pipeline, quotes(DEAD, 0, 20))
    assert execution.positions()["market.ticks", PARTITION] == 80
    sent += fed(pipeline, [event for first in range(20, 40) for event in quotes(ALIVE, first, first + 1)])
    assert [event for event in sent if isinstance(event, Fill) and event.symbol == ALIVE]
    assert {event.interval_s for event in sent if isinstance(event, Bar) and event.symbol == DEAD} == {1}


def test_a_closing_heartbeat_by_hand_releases_what_a_dead_feed_holds() -> None:
    """Its last tick, which is in doubt, and every tick of its neighbour, whose orders fill; those of the dead end."""
    pipeline = Pipeline(strategies=[Always()])
    execution = pipeline.agents["execution"]
    morning = START + 2 * LEAP
    fed(pipeline, [*quotes(DEAD, 0, 20), tick(morning, symbol=DEAD)])
    before = fed(pipeline, [event for first in range(20, 40) for event in quotes(ALIVE, first, first + 1)])
    position = execution.positions()["market.ticks", PARTITION]
    assert position == 80, "the last tick of the dead feed waits for one that agrees"
    assert [event for event in before if isinstance(event, OrderEvent) and event.symbol == ALIVE]
    assert not [event for event in before if isinstance(event, Fill) and event.symbol == ALIVE]

    end = replace(shown(), ts_event=morning + 60 * SECOND, ts_ingest=morning + 60 * SECOND)
    after = fed(pipeline, [end])
    after += fed(pipeline, quotes(ALIVE, 40, 42))
    released = execution.positions()["market.ticks", PARTITION]
    assert released > 80 + 80, "past the dead feed's ticks, its neighbour's, and the heartbeat"
    assert [event for event in after if isinstance(event, Fill) and event.symbol == ALIVE]
    assert not [event for event in after if isinstance(event, Tick)], "nothing is late"
    open_orders = [value for value in execution.state().values() if isinstance(value, OpenOrderState)]
    assert DEAD not in {order.symbol for order in open_orders}
