"""Whether memory stays flat: everything that `up` runs, for some minutes, with the resident memory of each process.

PROCESS_rss_mb             the median over the last fifth of the time
PROCESS_growth_mb_per_h    the trend over the second half: the median slope between any two samples (Theil and Sen)
largest_growth_mb_per_h    of any process
lag                        records behind, over all groups, at the end
deaths                     processes that ended by themselves
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.services.ports import ports
from tradewind.infra.services.process import recorded
from tradewind.infra.status.report import report as status
from tradewind.infra.up.state import read_state

UP_S = 300.0
STOP_S = 30.0
SAMPLES = 240  # of each process, over the whole time
LAST = 0.2  # of the samples tell what a process takes
TREND = 0.5  # of the samples tell how it grows: what comes before is caches that fill
MIB = 1024 * 1024
HOUR_S = 3600.0
Floats = npt.NDArray[np.float64]


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="from when all is up")
    parser.add_argument("--rate", type=int, default=1000, help="ticks a second")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns 1 where a process ended by itself."""
    given = arguments(argv)
    with tempfile.TemporaryDirectory(prefix="tradewind-bench-", ignore_cleanup_errors=True) as folder:
        data = Path(folder)
        data.chmod(0o711)  # root's PostgreSQL runs as another user
        with _up(data, given.rate) as alive:
            samples = _sample(data, given.minutes * 60, alive)
            found = status(Settings(data=data, _env_file=None), data)  # type: ignore[call-arg]
    lag = 0 if found.glance is None else sum(of.lag for of in found.glance.lags)
    deaths = sum(worker.deaths for worker in found.workers)
    growths = {name: _per_hour(*series) for name, series in samples.items()}
    results = [
        *(Result.of(f"{name}_rss_mb", "MiB", [_last(sizes)]) for name, (_, sizes) in samples.items()),
        *(Result.of(f"{name}_growth_mb_per_h", "MiB/h", [growth]) for name, growth in growths.items()),
        Result.of("largest_growth_mb_per_h", "MiB/h", [max(growths.values())]),
        Result.of("lag", "records", [lag]),
        Result.of("deaths", "processes", [deaths]),
    ]
    note = f"{given.minutes:g} minutes at {given.rate:,} ticks/s; {found.totals['ticks']:,} ticks came through"
    report(results, [note], as_json=given.json)
    return 1 if deaths else 0


@contextmanager
def _up(data: Path, rate: int) -> Iterator[Callable[[], bool]]:
    """Run `up` in a data folder of its own; gives what tells whether it still runs."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
    if "TRADEWIND_CACHE" in os.environ:
        own["TRADEWIND_CACHE"] = os.environ["TRADEWIND_CACHE"]
    options = ("--data", str(data), "--base-port", str(ports(None).base), "--rate", str(rate))
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "up", *options]
    with (
        (data / "up.out").open("wb") as out,
        subprocess.Popen(command, cwd=data, env=own, stdin=subprocess.DEVNULL, stdout=out, stderr=out) as process,
    ):
        try:
            deadline = time.monotonic() + UP_S
            while not read_state(data):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"up did not come up: {(data / 'up.out').read_text()[-2000:]}")
                time.sleep(1.0)
            yield lambda: process.poll() is None
        finally:
            process.terminate()
            process.wait(STOP_S)


def _sample(data: Path, seconds: float, alive: Callable[[], bool]) -> Mapping[str, tuple[Floats, Floats]]:
    """Return (n,) times, s, and (n,) resident memory, MiB, of each process; a new process begins anew."""
    pids: dict[str, int] = {}
    found: dict[str, list[tuple[float, float]]] = {}
    begun = time.monotonic()
    while (now := time.monotonic() - begun) < seconds:
        if not alive():
            raise RuntimeError(f"up ended: {(data / 'up.out').read_text()[-2000:]}")
        for name, record in recorded(data / "run").items():
            if pids.get(name) != record.pid:
                pids[name], found[name] = record.pid, []
            try:
                found[name].append((now, psutil.Process(record.pid).memory_info().rss / MIB))
            except psutil.NoSuchProcess:
                continue
        time.sleep(seconds / SAMPLES)
    return {name: (np.array(series).T[0], np.array(series).T[1]) for name, series in found.items() if len(series) > 1}


def _last(sizes: Floats) -> float:
    return float(np.median(sizes[-max(1, int(len(sizes) * LAST)) :]))


def _per_hour(times: Floats, sizes: Floats) -> float:
    """Return the Theil-Sen slope of the second half, MiB per hour (Sen 1968, JASA 63, 1379-1389)."""
    late = slice(int(len(times) * (1 - TREND)), None)
    at, size = times[late], sizes[late]
    first, second = np.triu_indices(len(at), 1)
    return float(np.median((size[second] - size[first]) / (at[second] - at[first]))) * HOUR_S if len(first) else 0.0
