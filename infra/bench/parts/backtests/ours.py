"""Run our backtest on quotes in memory, as peers do; print what a run took. Arguments: QUOTES INTERVAL_S RUNS DAYS.

What is measured is a whole run: bars, signals, sizes, limits, orders, fills, positions, equity, tables on disk and
metrics. What is not: reading the quotes, and the page of the report. The quotes come as many times as there are days.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import polars as pl

from tradewind.connectors.feeds.feed import TICK_COLUMNS
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.backtests.crossover import STRATEGIES
from tradewind.processors.tenancy.tenant import Limits, Sizing, Tenant
from tradewind.streams.backtest.run import Plan, played
from tradewind.streams.backtest.ticks import BLOCK

ROOMY = Decimal(10) ** 12
RISK: Final = Decimal(25)
DAY_US: Final = 86_400_000_000
WEEKEND_US: Final = 3 * DAY_US


def blocks_of(path: str, days: int) -> Iterator[pl.DataFrame]:
    """Yield a day's quotes again and again, each day later by a day, in blocks; one day is in memory."""
    day = pl.read_parquet(path).select(*TICK_COLUMNS)
    for number in range(days):
        later = day.with_columns(pl.col("ts_event") + number * DAY_US)
        yield from (later.slice(start, BLOCK.records) for start in range(0, later.height, BLOCK.records))


def main() -> None:
    """Measure."""
    path, interval_s, runs, days = sys.argv[1], *map(int, sys.argv[2:5])
    tenant = Tenant("bench", ("main",), Sizing(RISK, "MARKET"), Limits(ROOMY, ROOMY, WEEKEND_US))
    plan = Plan(STRATEGIES[interval_s](), {}, [], Settings(tenants=(tenant,)), tenant.tenant_id)
    whole = list(blocks_of(path, 1)) if days == 1 else []
    seconds, fills = [], 0
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
            begun = time.process_time()
            told = played(plan, whole or blocks_of(path, days), Path(folder))
            seconds.append(time.process_time() - begun)
            fills = told["counts"]["fills"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak_bytes = peak if sys.platform == "darwin" else peak * 1024
    print(json.dumps({"cpu_s": seconds, "fills": fills, "peak_rss_mb": peak_bytes / 2**20}), flush=True)


if __name__ == "__main__":
    main()
