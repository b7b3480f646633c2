"""Rating against a naive program over the raw records: totals to the last unit, and dead letters that say which."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import pytest
from asking import DAY, NOW
from hypothesis import given
from hypothesis import strategies as st
from processing import tenant_events

from tests.unit.schemas.strategies import examples
from tradewind.connectors.settings import Settings
from tradewind.processors.billing.counting import AHEAD_US
from tradewind.processors.billing.meters import METERS
from tradewind.processors.billing.sources import MOST_MISSING, RECENT
from tradewind.processors.clock import month_name
from tradewind.processors.identity import derive_id
from tradewind.schemas.billing import Usage, UsageSourceState, UsageTotal
from tradewind.streams.billing import rating
from tradewind.testing import MemoryAgent, MemoryBroker
from tradewind.topics import TENANT_CHANGES, USAGE, USAGE_THRESHOLDS, USAGE_TOTALS

SETTINGS = Settings(_env_file=None)
REASONS = {
    "meter": "there is no meter",
    "tenant": "there is no tenant",
    "time": "a clock is wrong",
    "content": "said something else",
    "old": "is older than the last",
    "quantity": "quantity is",
}


def usage(source: str, sequence: int, **other: Any) -> Usage:
    """Return what a source counted of alpha; another quantity for each number."""
    fields: dict[str, Any] = {
        "event_id": derive_id(source, sequence, other.get("tenant_id", "alpha")),
        "tenant_id": "alpha",
        "ts_event": NOW + sequence,
        "ts_ingest": NOW + sequence,
        "correlation_id": "c",
        "causation_id": "c",
        "meter": "api.calls",
        "dimension": "r",
        "quantity": 1 + sequence % 7,
        "source": source,
        "sequence": sequence,
        "billable": True,
    }
    return Usage(**{**fields, **other})


def flawed(kind: str, of: Usage) -> Usage:
    """Return a record with a flaw of a kind."""
    match kind:
        case "meter":
            return replace(of, meter="coffee")
        case "tenant":
            return replace(of, tenant_id="nobody")
        case "time":
            return replace(of, ts_event=of.ts_ingest + AHEAD_US + 1)
        case "content":
            return replace(of, quantity=of.quantity + 100)
        case "quantity":
            return replace(of, quantity=-(of.sequence % 2))
    return of


@st.composite
def records(draw: st.DrawFn, most: int) -> list[tuple[str, Usage]]:
    """Draw records with their flaws: repeated, out of order, with gaps, contradicting, impossible."""
    found = []
    for _ in range(draw(st.integers(0, 40))):
        of = usage(
            draw(st.sampled_from(("door/1", "door/2", "metering/0"))),
            draw(st.integers(0, most)),
            tenant_id=draw(st.sampled_from(("alpha", "beta"))),
            meter=draw(st.sampled_from(sorted(METERS))),
            dimension=draw(st.sampled_from(("r", "s"))),
            billable=draw(st.booleans()),
        )
        month = draw(st.sampled_from((0, 0, 31 * DAY)))
        of = replace(of, ts_event=of.ts_event - month)
        kind = draw(st.sampled_from(("", "", "", "meter", "tenant", "time", "content", "quantity")))
        found.append((kind, flawed(kind, of)))
    return found


def said(of: Usage) -> tuple[Any, ...]:
    """Return what a record says of a number."""
    return (of.meter, of.dimension, of.quantity, of.ts_event, of.billable, of.event_id)


def naive(raw: list[tuple[str, Usage]]) -> tuple[Counter[tuple[str, ...]], list[str], int]:
    """Return totals, the kinds of dead letters and how many records came again: the second program."""
    seen: dict[tuple[str, str, int], tuple[Any, ...]] = {}
    totals, dead, repeated = Counter[tuple[str, ...]](), [], 0
    for kind, of in raw:
        known = seen.get((of.tenant_id, of.source, of.sequence))
        if kind in {"meter", "tenant", "time", "quantity"}:
            dead.append(kind)
        elif known is None:
            seen[of.tenant_id, of.source, of.sequence] = said(of)
            totals[of.tenant_id, of.meter, of.dimension, month_name(of.ts_event)] += of.quantity
        elif known == said(of):
            repeated += 1
        else:
            dead.append("content")
    return totals, dead, repeated


class Rated:
    """The agent on a broker in memory, after raw records in some batches."""

    def __init__(self, raw: list[Usage], batches: list[int]) -> None:
        self.kit = MemoryAgent(rating(SETTINGS), MemoryBroker())
        self.kit.process({TENANT_CHANGES: tenant_events()})
        places = sorted({min(at, len(raw)) for at in batches} | {0, len(raw)})
        for first, last in pairwise(places):
            self.kit.broker.publish(USAGE, *raw[first:last])
            self.kit.run()

    @property
    def totals(self) -> Counter[tuple[str, ...]]:
        """The last of each total."""
        found = Counter[tuple[str, ...]]()
        for state in self.kit.states().values():
            for value in state.values():
                if isinstance(value, UsageTotal):
                    found[value.tenant_id, value.meter, value.dimension, month_name(value.ts_start)] = value.quantity
        return found

    @property
    def sources(self) -> list[UsageSourceState]:
        """What is kept of each source and tenant."""
        of = [value for state in self.kit.states().values() for value in state.values()]
        return [value for value in of if isinstance(value, UsageSourceState)]

    @property
    def dead(self) -> list[str]:
        """The kind of each dead letter, by what it says."""
        reasons = [letter.reason for letter in self.kit.dead_letters()]
        kinds = [[kind for kind, text in REASONS.items() if text in reason] for reason in reasons]
        assert all(len(kind) == 1 for kind in kinds), reasons
        return [kind for (kind,) in kinds]


@given(records(most=MOST_MISSING - 1), st.lists(st.integers(0, 40), max_size=4))
@examples(60)
def test_totals_equal_a_naive_program_over_the_raw_records(raw: list[tuple[str, Usage]], batches: list[int]) -> None:
    """To the last unit; each dead letter says its kind, and each repetition is counted."""
    totals, dead, repeated = naive(raw)
    found = Rated([of for _, of in raw], batches)
    assert found.totals == totals
    assert Counter(found.dead) == Counter(dead)
    assert sum(source.repeated for source in found.sources) == repeated


@given(st.lists(st.integers(0, 400), max_size=150), st.lists(st.integers(0, 150), max_size=4))
@examples(40)
def test_no_number_counts_twice_however_far_they_are_apart(numbers: list[int], batches: list[int]) -> None:
    """What cannot be told from a repetition is a dead letter; all else counts once, and memory has its limits."""
    found = Rated([usage("door/1", number) for number in numbers], batches)
    letters = found.kit.dead_letters()
    assert set(found.dead) <= {"old"}
    dead = Counter(cast("Usage", found.kit.broker.codec.decode(letter.value or b"")).sequence for letter in letters)
    alive = Counter(numbers) - dead
    assert found.totals.total() == sum(1 + number % 7 for number in alive)
    for source in found.sources:
        assert (source.highest, source.repeated) == (max(numbers), alive.total() - len(alive))
        assert len(source.missing) <= MOST_MISSING
        assert len(source.recent) <= RECENT
        assert not set(source.missing) & set(alive)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_below_one_is_a_dead_letter(quantity: int) -> None:
    """It is out of the range of its field."""
    found = Rated([usage("door/1", 0, quantity=quantity), usage("door/1", 1)], [])
    assert found.dead == ["quantity"]
    assert found.totals.total() == 2


def test_columns_give_what_rows_give() -> None:
    """A batch of many records is decoded by columns, one of few by rows: the same totals, thresholds and state."""
    raw = [
        usage("door/1", number - number % 3, tenant_id="alpha", meter=("api.calls", "ai.cost")[number % 2])
        for number in range(300)
    ]
    whole, parts = Rated(raw, []), Rated(raw, list(range(0, 300, 10)))
    assert whole.kit.states() == parts.kit.states()
    for topic in (USAGE_TOTALS, USAGE_THRESHOLDS):
        assert whole.kit.broker.events(topic) == parts.kit.broker.events(topic)
    assert whole.dead == parts.dead
    assert len(whole.kit.broker.events(USAGE_TOTALS)) == 100
