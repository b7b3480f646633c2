"""What `status` says of the cluster and of halted tenants, for people and as JSON."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from tradewind.connectors.health.names import TOTALS
from tradewind.connectors.health.watch import Glance
from tradewind.infra.services.service import ServiceHealth
from tradewind.infra.status.report import Report
from tradewind.infra.status.standing import UNKNOWN, Halt, Standing
from tradewind.infra.status.table import tables

HALTED = Halt("beta", "must hold", in_force=True)
LOST = Halt("alpha/main", "too fast", in_force=False)
OTHER = Standing(differences="the cluster's id was one and is two", remedy="run `./dev prepare --accept-cluster`")


def shown(found: Report) -> str:
    """Return what a person reads."""
    console = Console(width=200)
    with console.capture() as text:
        console.print(tables(found))
    return text.get()


def report(standing: Standing) -> Report:
    """Return a report of a platform that is well but for this."""
    up = ServiceHealth("kafka", "127.0.0.1:1", healthy=True, version="4.3.1", detail="")
    none = dict.fromkeys(TOTALS, 0)
    glance = Glance(totals=none, rates=dict.fromkeys(TOTALS, 0.0), topics=(), lags=(), uncounted=0)
    return Report((up,), (), glance, none, {}, standing=standing)


@pytest.mark.parametrize(
    ("standing", "well"),
    [
        (UNKNOWN, True),
        (Standing(halts=(HALTED,)), True),
        (Standing(unchecked="PostgreSQL does not answer"), True),
        (Standing(halts=(HALTED, LOST)), False),
        (OTHER, False),
    ],
)
def test_a_cluster_that_differs_and_a_lost_halt_are_not_healthy(standing: Standing, *, well: bool) -> None:
    """A halt that is in force is as a person wants it; what nobody could look at is told where it is missing."""
    assert report(standing).healthy == well


def test_people_read_who_is_halted_and_what_kafka_has_lost() -> None:
    """With the reason, and what to do."""
    text = shown(report(Standing(halts=(HALTED, LOST))))
    assert "halted: beta (must hold)" in text
    assert "halted: alpha/main (too fast); Kafka has LOST the switch, and orders pass: run `./dev prepare`" in text
    assert OTHER.remedy in shown(report(OTHER))


def test_programs_read_the_same() -> None:
    """Halts with whom, reason and whether they are in force."""
    told = json.loads(json.dumps(report(Standing(halts=(LOST,))).to_json()))
    assert told["cluster"] == {
        "differences": None,
        "unchecked": None,
        "halts": [{"whom": "alpha/main", "reason": "too fast", "in_force": False}],
    }
