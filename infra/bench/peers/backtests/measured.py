"""What every peer of the backtest bench does: read the quotes, run some times, and print what a run took as JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import polars as pl
import psutil

FAST, SLOW = 10, 30
"""Spans of the averages, in bars."""


class Crossover:
    """Two averages of closes; says which side they are on once both have seen `SLOW` bars, and once at each turn."""

    def __init__(self) -> None:
        """Begin without a price."""
        self.fast = self.slow = 0.0
        self.bars = self.side = 0

    def turned(self, close: float) -> int:
        """Take a close; return 1 or -1 where the averages turn to that side, else 0."""
        self.bars += 1
        if self.bars == 1:
            self.fast = self.slow = close
            return 0
        self.fast += 2 / (FAST + 1) * (close - self.fast)
        self.slow += 2 / (SLOW + 1) * (close - self.slow)
        if self.bars < SLOW:
            return 0
        side = 1 if self.fast > self.slow else -1
        if side == self.side:
            return 0
        self.side = side
        return side


def quotes() -> tuple[pl.DataFrame, int, int]:
    """Return the quotes (`ts_event` in µs, `bid`, `ask`), seconds of a bar and how often to run: the arguments."""
    path, interval_s, runs = sys.argv[1:4]
    return pl.read_parquet(path), int(interval_s), int(runs)


def measure(run: Callable[[], int], runs: int) -> None:
    """Print the CPU seconds of each run, how many orders filled, and the most memory that the process took."""
    seconds, fills = [], 0
    for _ in range(runs):
        begun = time.process_time()
        fills = run()
        seconds.append(time.process_time() - begun)
    memory = psutil.Process().memory_info()
    peak = getattr(memory, "peak_rss", None) or _peak()
    print(json.dumps({"cpu_s": seconds, "fills": fills, "peak_rss_mb": peak / 2**20}), flush=True)


def _peak() -> int:
    import resource  # noqa: PLC0415 - Windows has none, and tells the peak itself

    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib if sys.platform == "darwin" else kib * 1024
