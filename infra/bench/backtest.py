"""Backtests beside other engines in one run: a crossover of EMA 10 and 30 with market orders on a day of gold quotes.

tradewind      spread, latency, sizing, limits, orders, positions, equity and metrics, exact decimals
nautilus       NautilusTrader: quotes with a latency model, bars of its own
backtestingpy  backtesting.py: bars that pandas makes of mids, fills at the next open, no spread
hftbacktest    compiled by numba: samples the book at the end of each interval

Each is a process of its own, one after the other. A figure is the CPU time of a run without reading the quotes, the
median of `--runs`. The number of fills must be that of the others, within 5 %. Then ours once more on ten such days,
for its memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

import tradewind
from tradewind.connectors.feeds import Bounds, SourcePosition, open_feed
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result, report

CHECKOUT = Path(tradewind.__file__).resolve().parents[1]
DAY: Final = CHECKOUT.parent / "shared" / "data" / "oanda-xauusd-quotes-20140501.zip"
PEERS: Final[Mapping[str, str]] = {"nautilus": "nautilus", "backtestingpy": "backtestingpy", "hftbacktest": "hft"}
"""Name of a figure -> program of `peers/backtests`."""
PYTHON: Final = CHECKOUT / ".venv-bench-backtest" / "bin" / "python"
OURS: Final = "backtest"
LENGTHS: Final[Mapping[str, int]] = {"1m": 60, "1s": 1}
MANY_DAYS: Final = 10
TIMEOUT_S: Final = 600.0
AGREE: Final = 0.05
"""Of the fills: engines may differ in what they do at the first and the last bar."""


class EnginesDisagree(RuntimeError):
    """An engine had another number of fills: it did not do the same work."""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench backtest", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--file", type=Path, default=DAY, help="quotes of a day")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit code."""
    given = arguments(argv)
    engines = [OURS, *PEERS]
    progress = Progress([f"{name} on bars of {length}" for length in LENGTHS for name in engines] + ["ten days"])
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as folder:
        quotes = Path(folder) / "quotes.parquet"
        ticks = _stored(given.file, quotes)
        for length, interval_s in LENGTHS.items():
            found: dict[str, Mapping[str, Any]] = {}
            for name in engines:
                progress.begin(f"{name} on bars of {length}")
                found[name] = _ran(name, quotes, interval_s, given.runs)
            agree(length, {name: int(one["fills"]) for name, one in found.items()})
            results += [_rate(f"{name}_{length}", ticks, one) for name, one in found.items()]
            results += [_memory(f"{name}_{length}", one) for name, one in found.items()]
            results.append(Result(f"fills_{length}", float(found[OURS]["fills"]), "fills"))
        progress.begin("ten days")
        one_day, ten = (_ran(OURS, quotes, LENGTHS["1m"], 1, days) for days in (1, MANY_DAYS))
        results += [_memory(OURS, one_day), _memory(f"{OURS}_{MANY_DAYS}d", ten)]
    note = f"{ticks:,} quotes of {given.file.name}; CPU time of a run, quotes in memory; median of {given.runs} runs"
    report(results, [note], as_json=given.json)
    return 0


def _stored(source: Path, path: Path) -> int:
    """Write the quotes of a file for all engines; return how many there are."""
    feed = open_feed(str(source))
    frame = pl.concat([block.ticks for block in feed.read(SourcePosition(), Bounds(2**20, 2**62))])
    frame.write_parquet(path)
    return frame.height


def _ran(name: str, quotes: Path, interval_s: int, runs: int, days: int = 1) -> Mapping[str, Any]:
    """Run an engine in a process of its own; return what it prints."""
    given = [str(quotes), str(interval_s), str(runs)]
    if name == OURS:
        command = [sys.executable, "-P", "-m", "tradewind.infra.bench.parts.backtests.ours", *given, str(days)]
    else:
        command = [str(PYTHON), str(CHECKOUT / "infra/bench/peers/backtests" / f"{PEERS[name]}.py"), *given]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=quotes.parent, env=os.environ
    )
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def agree(length: str, fills: Mapping[str, int]) -> None:
    """Raise `EnginesDisagree` where the engines' fills differ by more than they may."""
    low, high = min(fills.values()), max(fills.values())
    if high - low > max(AGREE * high, 1):
        raise EnginesDisagree(f"on bars of {length} the engines had {dict(fills)} fills")


def _rate(name: str, ticks: int, of: Mapping[str, Any]) -> Result:
    return Result.of(f"{name}_ticks_per_s", "ticks/CPU s", [ticks / seconds for seconds in of["cpu_s"]])


def _memory(name: str, of: Mapping[str, Any]) -> Result:
    return Result.of(f"{name}_peak_rss_mb", "MiB", [of["peak_rss_mb"]])
