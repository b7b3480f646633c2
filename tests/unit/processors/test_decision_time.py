"""A decision has one time, whatever record closes its bar: heartbeats or none, the fills are the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from processing import INSTRUMENTS, SECOND, START, heartbeat, real_quotes, tick

from tradewind.processors.market.processor import GRACE_US, next_decision
from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderRequest
from tradewind.schemas.market import Bar, Tick
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Signal
from tradewind.testing import Pipeline, rows
from tradewind.topics import TICKS

QUOTES = 2_500
FILLS = 23
DECIDED = (Bar, Signal, OrderRequest, Decision, Fill)
PLENTY = Decimal(10) ** 12


class Crossover(Strategy):
    """Follows each cross of two averages of bars of a second."""

    name, interval_s = "crossover", 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View | None:
        """Say which average is above the other, once it changes."""
        price = bar.mid_close
        if not memory:
            memory.update(fast=price, slow=price, bars=1, side=0)
            return None
        memory["fast"] += 2 / 11 * (price - memory["fast"])
        memory["slow"] += 2 / 31 * (price - memory["slow"])
        memory["bars"] += 1
        side = 1 if memory["fast"] > memory["slow"] else -1
        if memory["bars"] < 30 or side == memory["side"]:
            return None
        memory["side"] = side
        return View("LONG" if side > 0 else "SHORT", 1.0, "crossed")


class Always(Strategy):
    """Has a view on every bar of a second."""

    name, interval_s = "always", 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View:
        """Turn with each bar."""
        memory["long"] = not memory.get("long", False)
        return View("LONG" if memory["long"] else "SHORT", 1.0, "turned")


class EachMinute(Always):
    """The same on bars of a minute."""

    name, interval_s = "each-minute", 60


def unlimited() -> Tenant:
    """Return a tenant with market orders, which nothing denies."""
    return Tenant(
        "alpha",
        ("main",),
        Sizing(risk_per_trade=Decimal(25), order_type="MARKET"),
        Limits(max_order_notional=PLENTY, max_position_notional=PLENTY, max_quote_age_us=10**12),
    )


def recorded() -> list[Tick]:
    """Return the first quotes of a day of gold."""
    return [Tick.from_dict(record) for record in real_quotes("XAUUSD").frame.head(QUOTES).iter_rows(named=True)]


def live(ticks: Sequence[Tick], offset_us: int) -> list[Event]:
    """Return ticks of an instrument as a live feed sends them: a clock ticks each second of silence."""
    sent: list[Event] = []
    for before, event in zip([ticks[0], *ticks], ticks, strict=False):
        first = (before.ts_event // SECOND + 1) * SECOND + offset_us
        sent += [heartbeat(at, symbol=event.symbol) for at in range(first, event.ts_event, SECOND)]
        sent.append(event)
    return sent


def decided(events: Iterable[Event], model: type[Event]) -> list[dict[str, Any]]:
    """Return the facts of all events of a model, without the time at which they came in, and what bars promise."""
    found = (event.to_dict() for event in events if type(event) is model)
    return sorted(({**one, "ts_ingest": 0, "reached_ts": 0} for one in found), key=lambda one: one["event_id"])


def test_a_live_feed_and_a_file_give_the_same_fills() -> None:
    """A heartbeat in silence closes a bar earlier than the next quote would, and changes nothing."""
    file = Pipeline([Crossover()], [unlimited()]).run(recorded())
    heard = Pipeline([Crossover()], [unlimited()]).run(live(recorded(), 600_000))
    assert len(file.of(Fill)) == FILLS
    for model in DECIDED:
        assert decided(heard.events, model) == decided(file.events, model)


@st.composite
def sources(draw: st.DrawFn) -> tuple[list[Event], list[Event], list[int]]:
    """Draw ticks of several instruments, some out of order; the same with heartbeats among them; and where to cut."""
    now = dict.fromkeys(INSTRUMENTS[:2], START)
    ticks, heard = list[Event](), list[Event]()
    for seq in range(draw(st.integers(0, 40))):
        symbol, venue = name = draw(st.sampled_from(sorted(now)))
        of = {"symbol": symbol, "venue": venue}
        gap = draw(st.sampled_from((0, 1, 150_000, 400_000, 500_000, SECOND, 3 * SECOND, 61 * SECOND)))
        beats = draw(st.lists(st.integers(0, gap), max_size=3))
        heard += [heartbeat(now[name] + at, **of) for at in sorted(beats)]
        now[name] += gap
        behind = draw(st.sampled_from((0, 0, 0, 300_000)))
        at = max(now[name] - (behind if gap <= GRACE_US else 0), START)
        bid = 1 + draw(st.integers(0, 40)) / 1e4
        one = tick(at, bid, bid + 2e-4, seq=seq, **of)
        ticks.append(one)
        heard.append(one)
    late = draw(st.sampled_from((0, SECOND)))
    ends = [heartbeat(at + late, closing=True, symbol=symbol, venue=venue) for (symbol, venue), at in now.items()]
    return [*ticks, *ends], [*heard, *ends], draw(st.lists(st.integers(0, 120), max_size=8))


def fed(events: Sequence[Event], cuts: Iterable[int]) -> list[Event]:
    """Return what a pipeline makes of events in batches that are cut at these places."""
    pipeline = Pipeline([Always(), EachMinute()], [unlimited()])
    sent: list[Event] = []
    places = sorted({0, len(events), *(cut for cut in cuts if cut < len(events))})
    for first, stop in itertools.pairwise(places):
        for segment in rows(events[first:stop], TICKS.name):
            sent += pipeline.feed(segment)
    return sent + [event for agent in pipeline.agents.values() for event in agent.run()]


@settings(max_examples=20)
@given(sources())
def test_heartbeats_and_cuts_change_no_decision_and_no_fill(drawn: tuple[list[Event], list[Event], list[int]]) -> None:
    """Ticks out of order, silent instruments beside busy ones, sources that end within a bar or later."""
    ticks, heard, cuts = drawn
    plain, other = fed(ticks, ()), fed(heard, cuts)
    for model in DECIDED:
        assert decided(other, model) == decided(plain, model)


def test_no_tick_waits_at_the_venue_for_another() -> None:
    """The promise that its own time makes lets it go, once a second tick has confirmed the first one."""
    pipeline = Pipeline([Crossover()], [unlimited()])
    execution = pipeline.agents["execution"]
    for number, one in enumerate(recorded()[:150]):
        for segment in rows([one], TICKS.name):
            pipeline.feed(segment)
        passed = sum(offset for (topic, _), offset in execution.positions().items() if topic == TICKS.name)
        assert passed == number + 1 or number == 0


@given(st.integers(0, 10 * SECOND), st.sampled_from((0, 1, GRACE_US, SECOND, 90 * SECOND)))
def test_the_next_decision_is_a_whole_second_plus_the_grace(reached: int, grace_us: int) -> None:
    """It is after the time reached, and by a second at most."""
    found = next_decision(reached, grace_us)
    assert reached < found <= reached + SECOND
    assert (found - grace_us) % SECOND == 0


def test_a_source_that_ends_within_a_bar_leaves_no_open_order() -> None:
    """Its last bar is dated at its end, and so are the orders that are made on it."""
    ticks = [tick(START + at * SECOND // 4, 1 + at % 3 / 1e4, seq=at) for at in range(18)]
    end = heartbeat(ticks[-1].ts_event, closing=True)
    pipeline = Pipeline([Always()], [unlimited()])
    sent = [event for segment in rows([*ticks, end], TICKS.name) for event in pipeline.feed(segment)]
    last = [event for event in sent if isinstance(event, Bar)][-1]
    assert last.ts_event == end.ts_event < last.ts_end
    assert not [key for key in pipeline.agents["execution"].state() if key.startswith("order/")]
    assert replace(end, closing=False) not in sent
