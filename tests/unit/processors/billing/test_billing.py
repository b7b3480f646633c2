"""Usage is numbered by who counts it, and each record counts once in the total of its month."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest
from asking import DAY, HOUR, NOW, SECOND, tenant
from hypothesis import given
from hypothesis import strategies as st
from processing import START, assert_law, decision, heartbeat, ingested, places, tenant_events

from tests.unit.schemas.strategies import examples, ordinary
from tradewind.processors.batch import PoisonRecord, UnknownSymbol
from tradewind.processors.billing.counting import AHEAD_US, CLOCK_AHEAD_US
from tradewind.processors.billing.gaps import GAP_US
from tradewind.processors.billing.metering import metering
from tradewind.processors.billing.rating import rating
from tradewind.processors.billing.sources import AWAY_US, MOST_MISSING, RECENT, SILENT_US
from tradewind.processors.billing.totals import MOST_DIMENSIONS, OTHERS
from tradewind.processors.clock import MINUTE_US
from tradewind.processors.identity import derive_id
from tradewind.schemas.billing import Usage, UsageThreshold, UsageTotal
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill
from tradewind.schemas.notifications import Alert
from tradewind.schemas.runtime import ClockTick
from tradewind.testing import MemoryState, run

TOLD = [*(event for event in tenant_events() if type(event).__name__ == "Tenant"), tenant_events(())[0]]


def fill(number: int, **other: Any) -> Fill:
    """Return a fill of alpha's."""
    known = {"event_id": derive_id("fill", number), "tenant_id": "alpha", "symbol": "EURUSD", "venue": "OANDA"}
    return cast("Fill", ordinary(Fill.SCHEMA, **{**known, "side": "BUY", **other}))


def usage(sequence: int, quantity: int = 1, at: int = NOW, **other: Any) -> Usage:
    """Return usage of alpha's orders, numbered by a door."""
    fields: dict[str, Any] = {
        "event_id": derive_id("usage", sequence, other.get("source", "door/1"), other.get("tenant_id", "alpha")),
        "tenant_id": "alpha",
        "ts_event": at,
        "ts_ingest": at,
        "correlation_id": "c",
        "causation_id": "c",
        "meter": "orders",
        "dimension": "EURUSD.OANDA",
        "quantity": quantity,
        "source": "door/1",
        "sequence": sequence,
        "billable": True,
    }
    return Usage(**{**fields, **other})


def rated(*events: Event, state: MemoryState | None = None) -> list[Event]:
    """Return what rating sends for events, after the tenants."""
    state = MemoryState() if state is None else state
    if not state.values:
        run(rating(), TOLD, state)
    return run(rating(), events, state)


def total(*events: Event, state: MemoryState | None = None) -> UsageTotal:
    """Return the last total."""
    return [event for event in rated(*events, state=state) if isinstance(event, UsageTotal)][-1]


def test_approved_orders_and_fills_are_metered_once() -> None:
    """Denials and heartbeats are not; numbers count by tenant, over both meters."""
    state, make = MemoryState(), metering()
    events = [decision(1), decision(2, outcome="DENIED"), decision(3, tenant_id="beta"), heartbeat(START)]
    sent = cast("list[Usage]", [*run(make, events, state), *run(make, [fill(1)], state)])
    assert [(one.tenant_id, one.meter, one.sequence) for one in sent] == [
        ("alpha", "orders", 0),
        ("beta", "orders", 0),
        ("alpha", "fills", 1),
    ]
    assert {(one.quantity, one.source, one.dimension, one.billable) for one in sent} == {
        (1, "metering/0", "EURUSD.OANDA", True)
    }


def test_what_cannot_be_metered_is_poison() -> None:
    """No tenant, no bill; an outcome that is not known approves nothing."""
    with pytest.raises(PoisonRecord, match="no tenant"):
        run(metering(), [fill(1, tenant_id=None)], MemoryState())
    with pytest.raises(UnknownSymbol, match="outcome"):
        run(metering(), [replace(decision(1), outcome="UNKNOWN")], MemoryState())


def test_totals_are_of_a_month_a_meter_and_a_dimension() -> None:
    """Each record adds to one; what is not billable is told apart."""
    state = MemoryState()
    first = total(usage(0, 3), usage(1, 4, billable=False), state=state)
    assert (first.quantity, first.billable_quantity, first.records) == (7, 3, 2)
    assert total(usage(2, 1, dimension="XAUUSD.OANDA"), state=state).quantity == 1
    later = total(usage(3, 1, at=NOW + 31 * DAY), state=state)
    assert (later.quantity, later.ts_start) == (1, first.ts_end)


def test_dimensions_are_bounded_and_no_unit_is_lost() -> None:
    """Names that users make up fill neither state nor tables, wherever segments are cut; known ones go on."""
    state, most = MemoryState(), MOST_DIMENSIONS
    stream = [usage(number, 2, dimension=f"paper|m|{number}") for number in range(most + 5)]
    rated(*stream[: most - 3], state=state)
    rated(*stream[most - 3 :], state=state)
    found = [cast("Any", value) for name, value in state.values.items() if name.startswith("total/")]
    assert len(found) == most + 1
    assert sum(of.quantity for of in found) == 2 * (most + 5)
    assert {of.quantity for of in found if of.dimension == OTHERS} == {10}
    assert total(usage(most + 5, dimension="paper|m|7"), state=state).quantity == 3
    assert total(usage(most + 6, dimension="paper|m|new"), state=state).quantity == 11
    assert total(usage(most + 7, dimension="first", at=NOW + 31 * DAY), state=state).dimension == "first"


def test_a_record_that_comes_again_is_dropped_and_counted() -> None:
    """Whoever sends it again did not know whether it came."""
    state = MemoryState()
    assert len(rated(usage(0), usage(0), usage(0), state=state)) == 1
    (source,) = (value for name, value in state.values.items() if name.startswith("source/"))
    assert cast("Any", source).repeated == 2


POISON: dict[str, tuple[Usage, str]] = {
    "meter": (usage(1, meter="coffee"), "there is no meter 'coffee'"),
    "tenant": (usage(1, tenant_id="nobody"), "there is no tenant 'nobody'"),
    "time": (usage(1, ts_event=NOW + AHEAD_US + 1), "60 s after it came"),
    "contradiction": (usage(0, 2), "said something else"),
}


@pytest.mark.parametrize("kind", POISON)
def test_usage_that_cannot_be_true_is_a_dead_letter(kind: str) -> None:
    """Which says what is wrong with it; nothing of it is counted."""
    state = MemoryState()
    rated(usage(0), state=state)
    event, said = POISON[kind]
    with pytest.raises(PoisonRecord, match=said):
        rated(event, state=state)
    assert total(usage(1), state=state).quantity == 2


def test_usage_may_change_places_but_not_come_long_after() -> None:
    """What is missing may come; what is older than all that is remembered may not."""
    state = MemoryState()
    numbers = [2, 0, 1, *range(4, RECENT + 10)]
    assert total(*(usage(number) for number in numbers), state=state).records == len(numbers)
    assert total(usage(3), state=state).records == len(numbers) + 1
    with pytest.raises(PoisonRecord, match="older than the last"):
        rated(usage(0), state=state)


def test_what_stays_missing_is_told_once() -> None:
    """Ten minutes later; and at once where more is missing than is remembered."""
    state = MemoryState()
    assert [type(event) for event in rated(usage(0), usage(2), state=state)] == [UsageTotal, UsageTotal]
    found = rated(usage(3, at=NOW + GAP_US + 1), usage(4, at=NOW + GAP_US + 2), state=state)
    (alert,) = (event for event in found if isinstance(event, Alert))
    assert (alert.code, "(1)" in alert.message) == ("USAGE_MISSING", True)
    found = rated(usage(10 + MOST_MISSING, at=NOW + GAP_US + 3), state=state)
    (alert,) = (event for event in found if isinstance(event, Alert))
    assert (alert.code, alert.message.split()[0]) == ("USAGE_GIVEN_UP", "6")


def clock(at: int) -> ClockTick:
    """Return a second of the clock."""
    return ClockTick(ts_event=at, owner="test")


def test_the_clock_tells_of_what_stays_missing_where_no_record_comes() -> None:
    """Once, in the eleventh minute; a later record tells nothing more, and one that fills the gap ends the matter."""
    state = MemoryState()
    rated(usage(0), usage(2), usage(0, source="door/2"), usage(1, source="door/2"), state=state)
    assert rated(*(clock(NOW + s * SECOND) for s in range(60)), state=state) == []
    (alert,) = rated(*(clock(NOW + s * SECOND) for s in range(600, 700)), state=state)
    assert isinstance(alert, Alert)
    assert (alert.code, "door/1" in alert.message, alert.tenant_id) == ("USAGE_MISSING", True, "alpha")
    later = NOW + 2 * GAP_US
    assert [type(event) for event in rated(usage(3, at=later), usage(1, at=later), state=state)] == [UsageTotal] * 2
    assert rated(clock(later + 2 * GAP_US), state=state) == []


def test_a_step_back_of_the_clock_changes_nothing() -> None:
    """Nor does a second of a minute that was told."""
    state = MemoryState()
    rated(clock(NOW), state=state)
    before = dict(state.values)
    assert rated(clock(NOW - DAY), clock(NOW), clock(NOW + 1), state=state) == []
    assert state.values == before


def test_what_comes_ahead_of_the_clock_is_a_dead_letter_and_moves_no_time() -> None:
    """A door whose clock is a little ahead counts; one that is days ahead closes no other door."""
    state = MemoryState()
    rated(clock(NOW), usage(0), usage(0, at=NOW + CLOCK_AHEAD_US // 2, source="door/2"), state=state)
    with pytest.raises(PoisonRecord, match=r"ahead of runtime\.clock"):
        rated(usage(0, at=NOW + 2 * DAY, source="door/3"), state=state)
    assert total(usage(1), state=state).records == 3


def test_the_clock_forgets_doors_that_are_silent() -> None:
    """Late enough that records which wait for this agent are read before; agents are never forgotten."""
    state = MemoryState()
    rated(usage(0), usage(0, source="metering/0"), state=state)
    rated(clock(NOW + SILENT_US + AWAY_US), state=state)
    assert total(usage(1, at=NOW + SILENT_US), state=state).records == 3
    rated(clock(NOW + 2 * SILENT_US + AWAY_US + 2 * MINUTE_US), state=state)
    left = [name for name in state.values if name.startswith("source/")]
    assert left == ["source/alpha/metering/0"]


def test_a_gap_after_one_that_was_filled_has_an_alert_of_its_own() -> None:
    """What was told ends with the gap that it was told of."""
    state = MemoryState()
    rated(usage(0), usage(2), clock(NOW + GAP_US + 2 * MINUTE_US), state=state)
    later = NOW + 2 * GAP_US
    assert not [one for one in rated(usage(1, at=later), usage(4, at=later), state=state) if isinstance(one, Alert)]
    (alert,) = rated(clock(later + GAP_US + 2 * MINUTE_US), state=state)
    assert isinstance(alert, Alert)
    assert "(3)" in alert.message


def test_memory_grows_with_doors_not_with_records() -> None:
    """A door that is silent for a day is forgotten when another comes; agents never are."""
    state = MemoryState()
    rated(*(usage(0, source=f"door/{number}") for number in range(20)), usage(0, source="metering/1"), state=state)
    rated(*(usage(number, source="door/0") for number in range(1, 500)), state=state)
    rated(usage(0, at=NOW + SILENT_US + 1, source="door/new"), state=state)
    with pytest.raises(PoisonRecord, match="its source is closed"):
        rated(usage(0, source="door/0"), state=state)
    left = [name for name in state.values if name.startswith("source/")]
    assert sorted(left) == ["source/alpha/door/new", "source/alpha/metering/1"]


def test_shares_of_a_quota_are_told_once() -> None:
    """Reached means as large as: at 50 of 100, not at 51; over all dimensions of the meter."""
    state = MemoryState()
    run(rating(), [tenant(ai_budget_per_month=Decimal("0.0001")), tenant_events(())[0]], state)
    sent = []
    for number in range(12):
        found = rated(usage(number, 10, meter="ai.cost", dimension=f"p|m{number % 2}|t"), state=state)
        sent += [(number, event.percent) for event in found if isinstance(event, UsageThreshold)]
    assert sent == [(4, 50), (7, 80), (9, 100)]


def quotas(**units: int) -> tuple[dict[str, Any], ...]:
    """Return quotas as a tenant has them."""
    return tuple({"meter": meter.replace("_", "."), "units": of} for meter, of in sorted(units.items()))


def shares(*events: Event, state: MemoryState) -> list[tuple[int, int, int]]:
    """Return (percent, quota, quantity) of each share that rating tells of, each with its alert."""
    sent = rated(*events, state=state)
    reached = [event for event in sent if isinstance(event, UsageThreshold)]
    codes = [event.code for event in sent if isinstance(event, Alert)]
    assert codes == [f"USAGE_QUOTA_{one.percent}" for one in reached]
    return [(one.percent, one.quota, one.quantity) for one in reached]


def test_each_meter_may_have_a_quota_and_each_share_has_one_alert() -> None:
    """The next month begins at 0."""
    state = MemoryState()
    rated(tenant(revision=2, quotas=quotas(orders=10, fills=100)), state=state)
    rated(usage(0, 5, meter="fills"), state=state)
    assert shares(*(usage(number) for number in range(1, 20)), state=state) == [(50, 10, 5), (80, 10, 8), (100, 10, 10)]
    later = NOW + 31 * DAY
    assert shares(usage(20, 4, at=later), usage(21, 7, at=later), state=state) == [
        (50, 10, 11),
        (80, 10, 11),
        (100, 10, 11),
    ]


def test_a_changed_quota_tells_of_its_own_shares() -> None:
    """What was used before there was a quota counts; so does what was used while there was none."""
    state = MemoryState()
    rated(*(usage(number) for number in range(6)), state=state)
    rated(tenant(revision=2, quotas=quotas(orders=10)), state=state)
    assert shares(usage(6, dimension="XAUUSD.OANDA"), state=state) == [(50, 10, 7)]
    rated(tenant(revision=3, quotas=quotas(orders=100)), state=state)
    assert shares(usage(7), state=state) == []
    rated(tenant(revision=4), usage(8), state=state)
    rated(tenant(revision=5, quotas=quotas(orders=10)), state=state)
    assert shares(usage(9), state=state) == [(50, 10, 10), (80, 10, 10), (100, 10, 10)]


@given(kinds=st.lists(st.sampled_from("ADFH"), max_size=30), cuts=places)
@examples(40)
def test_metering_keeps_the_law_of_cuts(kinds: list[str], cuts: list[int]) -> None:
    """However decisions, fills and heartbeats are cut."""
    makers = {
        "A": decision,
        "D": lambda number: decision(number, outcome="DENIED"),
        "F": fill,
        "H": lambda number: heartbeat(START + number),
    }
    events = [cast("Any", makers[kind])(number) for number, kind in enumerate(kinds)]
    assert_law(metering, ingested(events, "risk.decisions"), cuts)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Draw usage of doors and tenants that is repeated, missing and out of its order, and never contradicts itself."""
    found: list[Event] = []
    for source in ("door/1", "door/2", "metering/0"):
        for name in ("alpha", "beta"):
            numbers = draw(st.lists(st.integers(0, 12), max_size=12))
            came = NOW + draw(st.sampled_from((0, HOUR)))
            found += [
                usage(number, 1 + number, source=source, tenant_id=name, ts_event=NOW + number, ts_ingest=came + number)
                for number in numbers
            ]
    ticks = draw(st.lists(st.integers(2, 90), max_size=6))
    return draw(st.permutations([*found, *(clock(NOW + minutes * MINUTE_US) for minutes in ticks)]))


@given(stream=streams(), cuts=places)
@examples(60)
def test_totals_count_each_number_once_however_it_comes_and_is_cut(stream: list[Event], cuts: list[int]) -> None:
    """The sum of the distinct records, to the last unit."""
    assert_law(rating, ingested([*TOLD, *stream], "billing.usage"), cuts)
    state = MemoryState()
    rated(*stream, state=state)
    found = {
        cast("Any", value).tenant_id: cast("Any", value).quantity
        for name, value in state.values.items()
        if name.startswith("total/")
    }
    distinct = {(one.tenant_id, one.source, one.sequence): one.quantity for one in stream if isinstance(one, Usage)}
    for name in ("alpha", "beta"):
        wanted = sum(quantity for (of, _, _), quantity in distinct.items() if of == name)
        assert found.get(name, 0) == wanted
