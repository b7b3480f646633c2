"""Risk by account: heartbeats go through each of its partitions, and fills do not depend on which stand still."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processing import SECOND, START, heartbeat, passed_on, tick

from tradewind.processors.signals.strategy import JSON, Strategy, View
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.market import Bar, Heartbeat
from tradewind.schemas.risk import Decision
from tradewind.testing import Pipeline, rows
from tradewind.topics import DECISIONS, FILLS, ORDER_EVENTS, ORDER_REQUESTS, TICKS
from tradewind.topics.partitioner import partition_of

TENANTS = ("alpha", "gamma", "epsilon")
SYMBOLS = ("EURUSD", "XAUUSD")
AGENTS = ("market", "signals", "sizing", "risk", "execution")
LANES = range(ORDER_REQUESTS.partitions)
PLENTY = Decimal(10) ** 12


class Turn(Strategy):
    """Turns with each bar of a second."""

    name, interval_s = "turn", 1

    def on_bar(self, memory: dict[str, JSON], bar: Bar) -> View:
        """Say the other side."""
        memory["long"] = not memory.get("long", False)
        return View("LONG" if memory["long"] else "SHORT", 1.0, "turned")


def tenant(name: str) -> Tenant:
    """Return a tenant with market orders; the first one has two accounts, and a limit that denies its larger orders."""
    sizing = Sizing(risk_per_trade=Decimal(10_000), order_type="MARKET")
    accounts, most = (("main", "second"), Decimal(52_000)) if name == TENANTS[0] else (("main",), PLENTY)
    limits = Limits(max_order_notional=PLENTY, max_position_notional=most, max_quote_age_us=10**12)
    return Tenant(name, accounts, sizing, limits)


def lane_of(name: str) -> int:
    """Return the partition of risk that judges a tenant."""
    return partition_of(name.encode(), ORDER_REQUESTS.partitions)


def pipeline() -> Pipeline:
    """Return the trading path with the tenants."""
    return Pipeline([Turn()], [tenant(name) for name in TENANTS])


def decided(chain: Pipeline) -> dict[str, list[dict[str, Any]]]:
    """Return every decision, step and fill, without the time at which it came in."""
    found = {}
    for topic, model in ((DECISIONS, Decision), (ORDER_EVENTS, OrderEvent), (FILLS, Fill)):
        events = (event.to_dict() for event in chain.broker.events(topic) if type(event) is model)
        found[topic.name] = sorted(({**one, "ts_ingest": 0} for one in events), key=lambda one: str(one["event_id"]))
    return found


def test_the_tenants_of_these_tests_are_in_several_partitions() -> None:
    """Else nothing would be shown here."""
    assert sorted(lane_of(name) for name in TENANTS) == [0, 1, 2], "and one partition has none"


STEP = st.tuples(
    st.sampled_from(["feed", "feed", *AGENTS, "freeze", "thaw"]),
    st.integers(1, 12),
    st.sampled_from(LANES),
)


@st.composite
def quotes(draw: st.DrawFn) -> list[Event]:
    """Draw quotes of a busy instrument and of a rare one, with heartbeats among them."""
    now, events = START, list[Event]()
    for seq in range(draw(st.integers(8, 40))):
        symbol = SYMBOLS[not draw(st.integers(0, 6))]
        now += draw(st.sampled_from((1, 150_000, 600_000, SECOND, 3 * SECOND)))
        if draw(st.booleans()):
            events.append(tick(now, draw(st.sampled_from((1.0, 1.001, 1.02, 1.2))), symbol=symbol, seq=seq))
        else:
            events += [tick(now, symbol=symbol, seq=seq), heartbeat(now + 100_000, symbol=symbol)]
    return events


def closing(events: Iterable[Event]) -> list[Event]:
    """Return what ends each instrument."""
    ends = {event.symbol: event.ts_event for event in events}  # type: ignore[attr-defined]
    return [heartbeat(at + 10 * SECOND, symbol=symbol, closing=True) for symbol, at in sorted(ends.items())]


def feed(chain: Pipeline, events: Sequence[Event]) -> None:
    """Let quotes come in, and no agent run."""
    for segment in rows(events, TICKS.name):
        chain.broker.publish_segment(TICKS, segment)


@settings(deadline=None, max_examples=12)
@given(quotes(), st.lists(STEP, max_size=60))
def test_fills_do_not_depend_on_which_partition_of_risk_stands_still(
    events: list[Event], steps: list[tuple[str, int, int]]
) -> None:
    """Agents run in any order, in batches of any size; partitions of risk freeze and thaw; the fills are the same."""
    calm = pipeline()
    for at in range(0, len(events), 5):
        feed(calm, events[at : at + 5])
        _settle(calm)
    feed(calm, closing(events))
    _settle(calm)
    wild, left = pipeline(), list(events)
    risk = wild.agents["risk"]
    for step, many, lane in steps:
        if step == "feed":
            feed(wild, left[:many])
            del left[:many]
        elif step == "freeze":
            risk.paused.add(lane)
        elif step == "thaw":
            risk.paused.discard(lane)
        else:
            wild.agents[step].run(many)
    feed(wild, [*left, *closing(events)])
    _settle(wild)
    risk.paused.clear()
    _settle(wild)
    assert decided(wild) == decided(calm)


def _settle(chain: Pipeline) -> None:
    for _ in range(2):
        for name in AGENTS:
            chain.agents[name].run()


def test_a_frozen_partition_of_risk_delays_fills_and_changes_none() -> None:
    """The venue waits for the least of all partitions; one that was never heard of has reached nothing."""
    events = [tick(START + at * SECOND // 2, 1 + at % 7 / 100, seq=at) for at in range(40)]
    calm = pipeline()
    feed(calm, events)
    _settle(calm)
    assert len(decided(calm)[FILLS.name]) > 30
    assert {"APPROVED", "DENIED"} <= {event["outcome"] for event in decided(calm)[DECISIONS.name]}
    for lane in LANES:
        later = pipeline()
        feed(later, events[:20])
        _settle(later)
        later.agents["risk"].paused.add(lane)
        feed(later, events[20:])
        _settle(later)
        assert max(fill["quote_seq"] for fill in decided(later)[FILLS.name]) == 20, "the last that was promised"
        later.agents["risk"].paused.clear()
        _settle(later)
        assert decided(later) == decided(calm)
        frozen = pipeline()
        frozen.agents["risk"].paused.add(lane)
        feed(frozen, events)
        _settle(frozen)
        assert not decided(frozen)[FILLS.name], "other tenants wait, too: a fill of the same quote may still come"
        frozen.agents["risk"].paused.clear()
        _settle(frozen)
        assert decided(frozen) == decided(calm)


def test_heartbeats_of_an_instrument_reach_each_partition_and_name_it() -> None:
    """Of one transaction the newest only, from sizing as from risk."""
    chain = pipeline()
    feed(chain, [tick(START + at * SECOND, seq=at) for at in range(9)])
    _settle(chain)
    asked, passed = (
        [
            (record.partition, event)
            for record in chain.broker.records(topic)
            if isinstance(event := chain.broker.codec.decode(record.value or b""), Heartbeat)
        ]
        for topic in (ORDER_REQUESTS, DECISIONS)
    )
    assert [partition for partition, _ in asked] == [*LANES]
    assert len({event for _, event in asked}) == 1
    here = partition_of(b"EURUSD.OANDA", DECISIONS.partitions)
    assert sorted((at, event.passed_by) for at, event in passed) == [(here, lane) for lane in LANES]


def test_requests_and_order_events_of_a_tenant_share_a_partition() -> None:
    """All its accounts and instruments do, so that one task of risk sees them."""
    chain = pipeline()
    feed(
        chain,
        [tick(START + at * SECOND, 1 + at % 7 / 100, symbol=symbol, seq=at) for at in range(30) for symbol in SYMBOLS],
    )
    _settle(chain)
    for topic in (ORDER_REQUESTS, ORDER_EVENTS):
        found: dict[str, set[int]] = {}
        for record in chain.broker.records(topic):
            event = chain.broker.codec.decode(record.value or b"")
            if isinstance(event, OrderRequest | OrderEvent):
                found.setdefault(str(event.tenant_id), set()).add(record.partition)
                assert record.key == f"{event.tenant_id}/{event.account_id}".encode()
        assert len(found) > 1
        assert found == {name: {lane_of(name)} for name in found}


@pytest.mark.parametrize("lane", [None, ORDER_REQUESTS.partitions])
def test_a_heartbeat_that_no_partition_of_risk_passed_on_is_a_dead_letter(lane: int | None) -> None:
    """It lets no quote go."""
    chain = pipeline()
    execution = chain.agents["execution"]
    beat = replace(heartbeat(START + SECOND), passed_by=lane)
    execution.process({DECISIONS: [*passed_on(START)[:-1], beat], TICKS: [tick(START)]})
    (letter,) = execution.dead_letters()
    assert f"names partition {lane} as the one that passed it on" in letter.reason
    assert not {at: end for at, end in execution.positions().items() if at[0] == TICKS.name and end}
