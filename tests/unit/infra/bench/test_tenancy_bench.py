"""When a change is in force, as the bench reckons it; and what it says of risk."""

from __future__ import annotations

import pytest
from runtime.records import CODEC, NOWHERE

from tradewind.infra.bench.parts.tenants import READERS, InForce
from tradewind.infra.bench.tenancy import HOPS, RISK, arguments, plan, results


def in_force() -> InForce:
    """Return what was seen of a change at offset 7, sent at 1 s, that all tasks but one have read."""
    found = InForce(NOWHERE, CODEC, {}, {"c": 1_000_000}, {"c": dict.fromkeys(range(4), 7)})
    for agent in READERS:
        for partition in range(4):
            found.read[agent, partition] = [(7, 1_005_000), (8, 1_020_000 + partition), (9, 1_900_000)]
    del found.read["risk", 3]
    return found


def test_a_change_is_in_force_when_the_last_task_has_committed_it() -> None:
    """An entry that ends before the change does not count, nor do later ones."""
    found = in_force()
    assert found.latencies_ms() == []
    found.read["risk", 3] = [(8, 1_050_000)]
    assert found.latencies_ms() == [50.0]


def test_a_change_that_nobody_told_of_has_no_latency() -> None:
    """It was refused, or is on its way."""
    found = in_force()
    found.sent_us["d"] = 1_000_000
    found.read["risk", 3] = [(8, 1_050_000)]
    assert len(found.latencies_ms()) == 1


def test_risk_keeps_the_median_of_what_each_pair_of_runs_kept() -> None:
    """Runs that follow each other are compared, since the machine may be busy at times."""
    found = {"risk_orders_per_s_10": [100.0, 50.0, 80.0], "risk_orders_per_s_1000": [90.0, 50.0, 60.0]}
    kept = results(found, 1_000)[-1]
    assert (kept.name, kept.value, kept.runs) == ("risk_kept", pytest.approx(0.9), (0.9, 1.0, 0.75))


def test_the_hops_are_measured_before_and_after_the_rest() -> None:
    """With as many runs of risk for ten tenants as for many."""
    runs = plan(arguments(["--runs", "2"]))
    assert (runs[1], runs[-1], runs.count(HOPS), runs.count(RISK)) == (HOPS, HOPS, 2, 4)
