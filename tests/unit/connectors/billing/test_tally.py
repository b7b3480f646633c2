"""A door counts each unit once, numbers its records for each tenant, and holds little."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.schemas.strategies import examples
from tradewind.connectors.billing.tally import Tally
from tradewind.processors.billing.sources import AGENTS
from tradewind.processors.clock import month_end, month_name
from tradewind.schemas.flaws import flaw_of
from tradewind.schemas.ranges import UNITS_MAX

NOW = 1_790_000_000_000_000  # µs, in September 2026
MS = 1_000


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> int:
        """Return the time, µs."""
        return self.at


def tally(start: str = "1", **limits: int) -> tuple[Tally, Clock]:
    """Return a door's tally and its clock."""
    clock = Clock()
    return Tally("door", start, clock, clock, **limits), clock


COUNT = st.tuples(
    st.just("count"),
    st.sampled_from(("alpha", "beta")),
    st.sampled_from(("api.calls", "market.ticks")),
    st.sampled_from(("EURUSD.OANDA", "XAUUSD.OANDA")),
    st.integers(-1, 5),
)
STEPS = st.lists(st.one_of(COUNT, st.just(("take",)), st.tuples(st.just("wait"), st.integers(0, 20 * 86_400))))


@given(STEPS)
@examples(60)
def test_records_add_up_to_what_was_counted_and_are_numbered_without_gaps(steps: list[tuple]) -> None:  # type: ignore[type-arg]
    """By tenant from 0 on over all meters, each in the month in which its units were used."""
    of, clock = tally()
    counted, sent = Counter[tuple[str, ...]](), []
    for step in [*steps, ("take",)]:
        match step:
            case ("count", tenant, meter, dimension, units):
                of.count(tenant, meter, dimension, units)
                counted[tenant, meter, dimension, month_name(clock.at)] += max(0, units)
            case ("wait", seconds):
                clock.at += seconds * 1_000_000
            case _:
                sent += of.take()
    told, numbers = Counter[tuple[str, ...]](), defaultdict[str, list[int]](list)
    for record in sent:
        assert flaw_of(record) is None
        told[record.tenant_id, record.meter, record.dimension, month_name(record.ts_event)] += record.quantity
        numbers[f"{record.tenant_id} {record.source}"].append(record.sequence)
    assert told == +counted
    assert all(found == list(range(len(found))) for found in numbers.values())
    assert len({record.event_id for record in sent}) == len(sent)
    assert all(record.source.startswith("door/1") for record in sent)


def test_one_record_for_each_tenant_meter_and_dimension() -> None:
    """However many units there are, at the time of the newest."""
    of, clock = tally()
    for _ in range(1_000):
        of.count("alpha", "market.ticks", "EURUSD.OANDA")
    clock.at += 5
    of.count("alpha", "market.ticks", "EURUSD.OANDA", 2 * UNITS_MAX)
    assert [(one.quantity, one.ts_event) for one in of.take()] == [
        (UNITS_MAX, NOW + 5),
        (UNITS_MAX, NOW + 5),
        (1_000, NOW + 5),
    ]
    assert of.take() == []


def test_a_start_is_a_source_of_its_own() -> None:
    """Another process of the same door counts from 0, and its records have other ids."""
    (one, _), (two, _) = tally("1"), tally("2")
    for of in (one, two):
        of.count("alpha", "api.calls", "consume")
    (first,), (second,) = one.take(), two.take()
    assert (first.sequence, second.sequence) == (0, 0)
    assert (first.source, second.source) == ("door/1", "door/2")
    assert first.event_id != second.event_id


def test_a_tenant_that_was_silent_for_long_is_a_new_source() -> None:
    """Rating has forgotten the old one by then, and would miss the numbers from 0 on; who was not silent goes on."""
    of, clock = tally()
    told: list[tuple[str, str, int]] = []
    for hours, tenants in ((0, "ab"), (7, "b"), (7, "ab"), (13, "b"), (0, "a"), (13, "ab")):
        clock.at += hours * 3_600_000_000
        for tenant in tenants:
            of.count(tenant, "api.calls", "consume")
        told += [(one.tenant_id, one.source.removeprefix("door/1"), one.sequence) for one in of.take()]
    assert told == [
        ("a", "", 0),
        ("b", "", 0),
        ("b", "", 1),
        ("a", ".1", 0),
        ("b", "", 2),
        ("b", ".2", 0),
        ("a", ".2", 0),
        ("a", ".3", 0),
        ("b", ".3", 0),
    ]


def test_open_streams_are_counted_while_they_are_open() -> None:
    """To the millisecond, each once, and not when they are closed."""
    of, clock = tally()
    with of.streaming("alpha", "market.ticks"), of.streaming("alpha", "market.ticks"):
        clock.at += 1_500
        assert [one.quantity for one in of.take()] == [2]
        clock.at += 600
        assert [one.quantity for one in of.take()] == [2], "half a millisecond was not forgotten"
        clock.at += 900
    clock.at += 60_000_000
    (last,) = of.take()
    assert (last.meter, last.dimension, last.quantity) == ("stream.ms", "market.ticks", 2)
    assert of.take() == []


def test_counters_are_bounded_and_what_has_none_is_not_charged() -> None:
    """It is told how many units that were; what has a counter goes on."""
    of, _ = tally(most_counters=4)
    for number in range(6):
        assert of.full is (number > 2)
        of.count("alpha", "market.ticks", f"S{number}", 3)
    of.count("alpha", "market.ticks", "S0", 1)
    assert of.dropped == 6
    assert sum(one.quantity for one in of.take()) == 13
    of.count("alpha", "market.ticks", "S5")
    assert len(of.take()) == 1


@pytest.mark.parametrize("name", [*AGENTS, "x" * 300])
def test_a_door_does_not_number_in_an_agents_name(name: str) -> None:
    """Nor in one that no record could carry."""
    with pytest.raises(ValueError, match="cannot name a door"):
        Tally(name.rstrip("/"), "1", Clock(), Clock())


def test_an_unknown_meter_is_refused() -> None:
    """Where it is counted, not where it would be billed."""
    with pytest.raises(ValueError, match=r"there is no meter 'coffee'; meters are ai\.cost"):
        tally()[0].count("alpha", "coffee", "cup")


def test_a_clock_that_goes_back_makes_no_record_of_the_future() -> None:
    """Its units are of the newest time that was seen."""
    of, clock = tally()
    of.count("alpha", "api.calls", "consume")
    clock.at -= 60_000_000
    (record,) = of.take()
    assert record.ts_event == record.ts_ingest == NOW
    assert month_end(record.ts_event) > NOW
