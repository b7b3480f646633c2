"""What an open transaction is: fresh, long or hanging, from what its coordinator and the leaders say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradewind.processors.health.transactions import (
    CHECKS_S,
    LONG_S,
    WORST,
    Coordinated,
    Writing,
    joined,
    verdict_of,
)

NOW = 1_000_000.0
TIMEOUT_S = 10.0


def coordinated(producer: int, age_s: float | None, *places: tuple[str, int]) -> Coordinated:
    """Return what a coordinator says of a producer's transaction."""
    started = None if age_s is None else NOW - age_s
    return Coordinated(f"id-{producer}", producer, 3, "Ongoing", started, TIMEOUT_S, places)


def writing(producer: int, age_s: float, topic: str = "t", partition: int = 0) -> Writing:
    """Return what a leader says of a producer that last wrote so long ago."""
    return Writing((topic, partition), producer, 3, 0, 100, NOW - age_s)


def test_both_sides_of_one_transaction_are_joined() -> None:
    """The coordinator says who and since when, the leaders say where readers stop."""
    (found,) = joined([coordinated(7, 2.0, ("t", 0), ("u", 1))], [writing(7, 1.0), writing(7, 1.5, "t", 4)], NOW)
    assert (found.transactional_id, found.age_s(NOW), found.verdict) == ("id-7", 2.0, "OPEN")
    assert [one.place for one in found.writing] == [("t", 0), ("t", 4)]
    assert found.places == (("t", 0), ("t", 4), ("u", 1))


def test_what_no_coordinator_knows_hangs_once_it_is_old() -> None:
    """One that began between two questions is unknown for a moment, and no alarm."""
    found = joined([], [writing(1, CHECKS_S + 1), writing(2, 0.1)], NOW)
    assert [(one.producer_id, one.verdict, one.transactional_id) for one in found] == [
        (1, "HANGING", None),
        (2, "OPEN", None),
    ]


def test_one_that_outlives_its_timeout_hangs() -> None:
    """Kafka takes some seconds to abort what has timed out; before that, readers only wait."""
    assert verdict_of(coordinated(1, 0), LONG_S) == "OPEN"
    assert verdict_of(coordinated(1, 0), LONG_S + 1) == "LONG"
    assert verdict_of(coordinated(1, 0), TIMEOUT_S + CHECKS_S) == "LONG"
    assert verdict_of(coordinated(1, 0), TIMEOUT_S + CHECKS_S + 1) == "HANGING"


def test_one_without_a_record_has_just_begun() -> None:
    """Its coordinator has no time of its start yet."""
    (found,) = joined([coordinated(1, None)], [], NOW)
    assert (found.age_s(NOW), found.verdict, found.places) == (0.0, "OPEN", ())


AGES = st.floats(0, 100, allow_nan=False)
KNOWN = st.dictionaries(st.integers(0, 8), AGES | st.none(), max_size=6)
WRITTEN = st.dictionaries(st.tuples(st.integers(0, 8), st.integers(0, 3)), AGES, max_size=12)


@given(KNOWN, WRITTEN)
def test_every_producer_comes_once_and_the_worst_first(
    known: dict[int, float | None], written: dict[tuple[int, int], float]
) -> None:
    """Whatever the two sides say, and in whatever order."""
    sides = [coordinated(producer, age) for producer, age in known.items()]
    leaders = [writing(producer, age, partition=number) for (producer, number), age in written.items()]
    found = joined(sides, leaders, NOW)
    assert found == joined(sides[::-1], leaders[::-1], NOW)
    assert sorted(one.producer_id for one in found) == sorted({*known, *(producer for producer, _ in written)})
    order = [WORST.index(one.verdict) for one in found]
    assert order == sorted(order)
    assert sum(len(one.writing) for one in found) == len(written)
