"""Does a backtest decide what the agents decide? The same quotes through both, and every event compared.

The agents run as they do on Kafka: the runtime's own tasks, codec, routing and hold, in memory (`Pipeline`). Quotes
come to them in parts that end before each quote that closes bars. So each agent knows, at each decision, what it would
know if quotes came as they happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
import polars as pl

from tradewind.connectors.feeds.publishing.encoding import last_times
from tradewind.processors.batch import Columns
from tradewind.processors.execution.costs import Costs
from tradewind.processors.market.candles import SECOND_US
from tradewind.processors.market.instruments import INSTRUMENTS
from tradewind.processors.market.leaps import LEAP_US
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.market import Tick
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Signal
from tradewind.streams.backtest.engine import Engine, closing_beats
from tradewind.streams.backtest.errors import BadInput
from tradewind.streams.backtest.run import Plan, tenant_of
from tradewind.streams.backtest.stages import stages
from tradewind.streams.backtest.ticks import Ticks
from tradewind.testing.pipeline import Pipeline
from tradewind.testing.segments import rows
from tradewind.topics import TICKS

COMPARED: Final = (Signal, OrderRequest, Decision, OrderEvent, Fill, Position)
NAMED: Final = 5  # differences of each kind that a report quotes


@dataclass(frozen=True, slots=True)
class Difference:
    """An event that differs."""

    kind: str
    event_id: str
    ts_event: int
    text: str
    """The fields that differ, as `field: backtest != agents`, or which of both lacks the event."""


@dataclass(slots=True)
class Equality:
    """What was compared."""

    equal: Counter[str] = field(default_factory=Counter)
    """Kind -> events that are equal by id and bytes."""
    differing: Counter[str] = field(default_factory=Counter)
    first: list[Difference] = field(default_factory=list)
    """The first differences of each kind, in event time."""

    @property
    def holds(self) -> bool:
        """Whether something was compared, and nothing differs."""
        return not self.differing and sum(self.equal.values()) > 0


def compare(plan: Plan) -> Equality:
    """Run a plan's quotes through the backtest and through the agents; return what is equal and what differs.

    Keeps the events of both in memory. Raises `BacktestError` and `FeedError`.
    """
    ours, theirs = by_id(backtested(plan)), by_id(piped(plan))
    found = Equality()
    encode = Pipeline(strategies=[]).broker.codec.encode
    differences: list[Difference] = []
    for key in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(key), theirs.get(key)
        if one is not None and other is not None and encode(one) == encode(other):
            found.equal[key[0]] += 1
            continue
        found.differing[key[0]] += 1
        known = one or other
        differences.append(Difference(*key, known.ts_event, _text(one, other)))  # type: ignore[union-attr]  # one is
    differences.sort(key=lambda one: (one.ts_event, one.kind, one.event_id))
    for kind in found.differing:
        found.first += [one for one in differences if one.kind == kind][:NAMED]
    found.first.sort(key=lambda one: (one.ts_event, one.kind, one.event_id))
    return found


def backtested(plan: Plan) -> list[Event]:
    """Return what a backtest decides."""
    told: list[Event] = []
    agents = stages(plan.settings, plan.strategy, tenant_of(plan))
    engine = Engine(agents, told.append, plan.within.start, plan.warmup)
    for block in Ticks(plan.feeds, plan.within).blocks():
        engine.feed(block)
    engine.close()
    return told


def piped(plan: Plan) -> list[Event]:
    """Return what the agents of a pipeline send. Raises `BadInput` for a setting that a pipeline does not take."""
    settings = plan.settings
    if plan.warmup:
        raise BadInput(
            "--check takes no --warmup, since agents order on each bar: check from the warm-up on, without it"
        )
    grace_us = settings.bar_grace_ms * US_PER_MS
    if settings.tick_leap_s * SECOND_US != LEAP_US:
        raise BadInput(f"--check needs TRADEWIND_TICK_LEAP_S={LEAP_US // SECOND_US}")
    pipeline = Pipeline(
        [plan.strategy],
        [tenant_of(plan)],
        grace_us,
        settings.venue_latency_ms * US_PER_MS,
        instruments={**INSTRUMENTS, **settings.instruments},
        costs=Costs(settings.venue_slippage_ticks, settings.venue_fee_bps),
    )
    told: list[Event] = []
    ends: dict[tuple[str, str], int] = {}
    passed: dict[tuple[str, str], int] = {}
    for block in Ticks(plan.feeds, plan.within).blocks():
        for name, ts in last_times(block).items():
            ends[name] = max(ts, ends.get(name, ts))
        for segment in _parts(block, grace_us, passed):
            told += (event for event in pipeline.feed(segment) if isinstance(event, COMPARED))
    for beat in closing_beats(ends, grace_us):  # one after the other, so that no instrument's requests overtake others'
        for closing in rows([beat], TICKS.name):
            told += (event for event in pipeline.feed(closing) if isinstance(event, COMPARED))
    return told


def _parts(block: pl.DataFrame, grace_us: int, passed: dict[tuple[str, str], int]) -> Iterator[Columns]:
    """Yield the quotes of a block in parts: a new one begins with each quote that may close a bar.

    `passed` has the newest time of each instrument at which a bar can close, as a number of seconds.
    """
    cuts = [0]
    seconds = (block["ts_event"].to_numpy() - grace_us) // SECOND_US
    for row, (symbol, venue) in enumerate(block.select("symbol", "venue").iter_rows()):
        second = int(seconds[row])
        if second > passed.get((symbol, venue), -1):
            passed[symbol, venue] = second
            cuts.append(row)
    bounds = sorted({*cuts, block.height})
    for start, stop in pairwise(bounds):
        frame = block[start:stop]
        times = frame["ts_event"].to_numpy()
        yield Columns(TICKS.name, 0, Tick, frame, np.arange(len(times)), times // US_PER_MS * US_PER_MS)


def by_id(events: Sequence[Event]) -> Mapping[tuple[str, str], Event]:
    """Return the compared events by kind and id."""
    found: dict[tuple[str, str], Event] = {}
    for event in events:
        if isinstance(event, COMPARED):
            key = (type(event).__name__, event.event_id)
            assert key not in found, f"the {key[0]} {key[1]} was sent twice"
            found[key] = event
    return found


def _text(one: Event | None, other: Event | None) -> str:
    if one is None or other is None:
        return "the backtest lacks it" if one is None else "the agents lack it"
    ours: Mapping[str, Any] = one.to_dict()
    theirs: Mapping[str, Any] = other.to_dict()
    return ", ".join(f"{name}: {ours[name]} != {theirs[name]}" for name in ours if ours[name] != theirs[name])
