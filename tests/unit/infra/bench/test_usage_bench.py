"""What the bench of usage publishes, and how it reckons its figures."""

from __future__ import annotations

from collections import Counter

import pytest

from tradewind.infra.bench.parts.metered import REPEATED, usages
from tradewind.infra.bench.usage import RATING, UPSERTING, arguments, notes, plan, results
from tradewind.schemas.flaws import flaw_of


def test_some_records_come_again_and_numbers_have_no_gap() -> None:
    """Each tenant's from 0 on."""
    found = list(usages(1_010, 10))
    times = Counter(one.event_id for one in found)
    assert len(found) == 1_010
    assert sum(count - 1 for count in times.values()) == len(times) // REPEATED == 10
    assert all(flaw_of(one) is None for one in found)
    for tenant in {one.tenant_id for one in found}:
        numbers = {one.sequence for one in found if one.tenant_id == tenant}
        assert numbers == set(range(100))


def test_runs_that_follow_each_other_are_compared() -> None:
    """Since the machine may be busy at times; figures are medians."""
    told = results({"rated_events_per_s": [100.0, 40.0, 80.0], "upsert_events_per_s": [10.0, 10.0, 20.0]})
    assert [(one.name, one.value) for one in told] == [
        ("rated_events_per_s", 80.0),
        ("upsert_events_per_s", 10.0),
        ("rated_in_upserts", pytest.approx(4.0)),
    ]
    runs = plan(arguments(["--runs", "2"]))
    assert runs[1:5] == [RATING, UPSERTING] * 2


def test_totals_that_differ_are_said() -> None:
    """A fast wrong answer is no figure."""
    given = arguments([])
    assert "equal a naive sum" in " ".join(notes(given, 1, equal=True))
    assert "DIFFER" in " ".join(notes(given, 1, equal=False))
