"""Tenants: how soon a change is in force everywhere, and what many tenants cost risk.

two_hops_p95_ms           event latency over two agents in a row: 500 events/s, topics of four partitions, nothing else
                          at work; measured before and after the rest
change_in_force_p95_ms    from the clock of whoever sends a change to the moment at which all tasks of sizing and risk
                          have committed it, with --tenants tenants; a change takes two hops, too
change_in_force_500_p95_ms   the same, while 500 orders/s flow
risk_orders_per_s_10      what a risk agent decides of orders that wait, of ten tenants, and of --tenants tenants;
risk_kept                 the second in parts of the first
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.hops import Hops, latency_ms
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.bench.parts.services import services
from tradewind.infra.bench.parts.tenants import Changes, change_in_force_ms, load, orders, orders_per_s, publish
from tradewind.schemas.codec import Codec
from tradewind.topics import ORDER_REQUESTS

RATE = 500  # events/s of the two hops, and orders/s
FEW = 10
WARM_UP, HOPS, LOADING, CHANGES, BUSY, RISK = (
    "two hops, warming up",
    "two hops",
    "creating tenants, and orders that wait",
    "changes",
    f"changes, and {RATE} orders/s",
    "risk",
)
Runs = dict[str, list[float]]


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench tenancy", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--orders", type=int, default=200_000, help="that wait for risk")
    parser.add_argument("--changes", type=float, default=10.0, help="a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="of two hops, and of changes")
    parser.add_argument("--warm-up-s", type=float, default=60.0, help="of two hops, before they count")
    parser.add_argument("--runs", type=int, default=3, help="of changes and of risk")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit code."""
    given = arguments(argv)
    found: Runs = {}
    with services(optimise_java=True) as settings:
        codec, progress = open_codec(settings), Progress(plan(given), known_s(given))
        progress.begin(WARM_UP)
        latency_ms(settings, codec, Hops("warm-up"), RATE, given.warm_up_s)
        progress.begin(HOPS)
        _two_hops(settings, codec, "before", given, found)
        # Changes have tenants of their own: nothing waits there that risk would have to decide first.
        few, many, changed = (settings.model_copy(update={"namespace": f"{name}."}) for name in ("few", "many", "own"))
        for own, count, waiting in (
            (few, FEW, given.orders),
            (many, given.tenants, given.orders),
            (changed, given.tenants, 0),
        ):
            progress.begin(LOADING)
            load(own, codec, count)
            publish(own, codec, ORDER_REQUESTS, orders(waiting, count))
        for run in range(given.runs):
            for own, count in ((few, FEW), (many, given.tenants)):
                progress.begin(RISK)
                rate = orders_per_s(own, f"risk-{run}", given.orders)
                found.setdefault(f"risk_orders_per_s_{count}", []).append(rate)
        for kind, busy in ((CHANGES, 0), (BUSY, RATE)):
            for _ in range(given.runs):
                progress.begin(kind)
                times = change_in_force_ms(changed, codec, Changes(given.tenants, given.changes, given.seconds, busy))
                name = f"change_in_force_{busy}_p95_ms" if busy else "change_in_force_p95_ms"
                found.setdefault(name, []).append(float(np.percentile(times, 95)))
        progress.begin(HOPS)
        _two_hops(settings, codec, "after", given, found)
    report(results(found, given.tenants), _notes(given), as_json=given.json)
    return 0


def plan(given: argparse.Namespace) -> list[str]:
    """Return the kind of each run, in order."""
    runs: int = given.runs
    return [WARM_UP, HOPS, *[LOADING] * 3, *[RISK] * 2 * runs, *[CHANGES] * runs, *[BUSY] * runs, HOPS]


def known_s(given: argparse.Namespace) -> dict[str, float]:
    """Return how long runs take whose length is asked for, seconds."""
    return {WARM_UP: given.warm_up_s, HOPS: given.seconds, CHANGES: given.seconds, BUSY: given.seconds}


def results(found: Runs, tenants: int) -> list[Result]:
    """Return the figures, and what risk keeps of its throughput with many tenants."""
    told = [Result.of(name, "ms" if name.endswith("_ms") else "orders/s", runs) for name, runs in found.items()]
    pairs = zip(found[f"risk_orders_per_s_{tenants}"], found[f"risk_orders_per_s_{FEW}"], strict=True)
    kept = [round(many / few, 3) for many, few in pairs]
    return [*told, Result("risk_kept", float(np.median(kept)), "of 1", tuple(kept))]


def _two_hops(settings: Settings, codec: Codec, name: str, given: argparse.Namespace, found: Runs) -> None:
    times = latency_ms(settings, codec, Hops(f"hops-{name}"), RATE, given.seconds)
    found.setdefault("two_hops_p95_ms", []).append(float(np.percentile(times, 95)))


def _notes(given: argparse.Namespace) -> list[str]:
    return [
        f"{given.tenants:,} tenants of one account; {given.changes:g} changes/s for {given.seconds:.0f} s",
        f"two hops of 4 partitions at {RATE} events/s for {given.seconds:.0f} s, before and after the rest",
        f"risk: {given.orders:,} orders of 6 instruments that wait, half of them too large; its worker begins anew",
    ]
