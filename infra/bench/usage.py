"""Usage: how fast rating counts it, beside a consumer that upserts each record by its id in PostgreSQL.

rated_events_per_s    records of billing.usage that wait, counted by one worker of the agent `rating`: once each, with a
                      total for each record, state, journal and offsets in one transaction
upsert_events_per_s   the same records, by a consumer that inserts each by its unique id and adds what is new to a
                      total: a statement for each record, a transaction for 500, offsets behind it
rated_in_upserts      the first in parts of the second, of runs that follow each other

Both read the same topic, one record in a hundred of which comes again. Totals are compared with a naive sum.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from tradewind.connectors.registry import open_codec
from tradewind.infra.bench.parts.metered import naive, rated, rated_per_s, upserted_per_s, usages
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.bench.parts.services import services
from tradewind.infra.bench.parts.tenants import agent_of, create, load, publish
from tradewind.topics import USAGE

LOADING, RATING, UPSERTING, COMPARING = "usage that waits", "rating", "upserts", "totals"


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench usage", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--records", type=int, default=300_000, help="that wait")
    parser.add_argument("--upserts", type=int, default=30_000, help="of them that are upserted")
    parser.add_argument("--tenants", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit code: 1 where a total differs from the naive sum."""
    given = arguments(argv)
    found: dict[str, list[float]] = {"rated_events_per_s": [], "upsert_events_per_s": []}
    with services(optimise_java=True) as settings:
        codec, progress = open_codec(settings), Progress(plan(given), {})
        progress.begin(LOADING)
        create(settings, agent_of("rating", "rating", settings))
        load(settings, codec, given.tenants)
        publish(settings, codec, USAGE, usages(given.records, given.tenants))
        wanted, records = naive(settings, codec)
        for run in range(given.runs):
            progress.begin(RATING)
            found["rated_events_per_s"].append(rated_per_s(settings, f"rating-{run}", records))
            progress.begin(UPSERTING)
            found["upsert_events_per_s"].append(upserted_per_s(settings, f"upserts-{run}", given.upserts))
        progress.begin(COMPARING)
        equal = rated(settings, codec) == wanted
    report(results(found), notes(given, records, equal=equal), as_json=given.json)
    return 0 if equal else 1


def plan(given: argparse.Namespace) -> list[str]:
    """Return the kind of each run, in order."""
    return [LOADING, *[RATING, UPSERTING] * given.runs, COMPARING]


def results(found: dict[str, list[float]]) -> list[Result]:
    """Return the figures, and how many times as fast rating was."""
    pairs = zip(found["rated_events_per_s"], found["upsert_events_per_s"], strict=True)
    times = [round(ours / theirs, 2) for ours, theirs in pairs]
    told = [Result.of(name, "events/s", runs) for name, runs in found.items()]
    return [*told, Result("rated_in_upserts", float(np.median(times)), "times", tuple(times))]


def notes(given: argparse.Namespace, records: int, *, equal: bool) -> list[str]:
    """Return what a reader of the figures should know."""
    totals = "equal" if equal else "DIFFER FROM"
    return [
        f"{records:,} records of {given.tenants:,} tenants that wait; each run's worker begins anew",
        f"the totals of all runs {totals} a naive sum over the raw records",
        f"upserts: the first {given.upserts:,} of the same records",
    ]
