"""Whether memory stays flat: everything that `up` runs, for some minutes, with what each process holds and writes.

PROCESS_rss_mb             resident memory, the median over the last fifth of the time
PROCESS_growth_mb_per_h    its trend over the second half: the median slope between any two samples (Theil and Sen)
PROCESS_written_per_tick   bytes that it gave to the disk, over the whole time, for each tick that came
largest_growth_mb_per_h    of any process
written_per_tick           bytes, of all processes
lag                        records behind, over all groups, at the end
deaths                     processes that ended by themselves

It exits 1 where a process died, wrote more than it should for what came or, in half an hour or more, grew; where no
tick came through, and where at the end a minute's ticks or more were still to be processed, or nobody could tell.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.progress import MINUTE_S, minutes, say
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.bench.parts.services import LOGS, logged
from tradewind.infra.services.guard import temporary_folder
from tradewind.infra.services.ports import ports
from tradewind.infra.services.process import recorded
from tradewind.infra.status.report import Report
from tradewind.infra.status.report import report as status
from tradewind.infra.up.state import read_state

UP_S = 300.0
STOP_S = 30.0
SAMPLES = 240  # of each process, over the whole time
LAST = 0.2  # of the samples tell what a process takes
TREND = 0.5  # of the samples tell how it grows: what comes before is caches that fill
FLAT_MB_PER_H = 30.0  # what a trend may be by chance and by caches; a leak of 10 bytes a tick is more at 1,000 ticks/s
JUDGED_MINUTES = 30.0  # for a trend: caches fill for the first quarter of an hour
WRITTEN_PER_TICK = 5_000.0  # bytes; 2,233 in an hour, 1,944 by QuestDB, and 14,300 where it split no hours
LAG_S = 60.0  # of ticks at the rate, over all groups together
MIB = 1024 * 1024
HOUR_S = 3600.0


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
    """Run the bench; returns 1 where something is wrong."""
    given = arguments(argv)
    with temporary_folder("tradewind-bench-") as data, logged(data), _up(data, given.rate) as alive:
        before = _status(data).totals["ticks"]
        samples = _sample(data, given.minutes * 60, alive)
        found = _status(data)
    lag = None if found.glance is None else sum(of.lag for of in found.glance.lags)
    deaths = sum(worker.deaths for worker in found.workers)
    ticks = found.totals["ticks"] - before
    growths = {name: series.growth_mb_per_h for name, series in samples.items()}
    written = {name: series.written / max(1, ticks) for name, series in samples.items()}
    results = [
        *(Result.of(f"{name}_rss_mb", "MiB", [series.rss_mb]) for name, series in samples.items()),
        *(Result.of(f"{name}_growth_mb_per_h", "MiB/h", [growth]) for name, growth in growths.items()),
        *(Result.of(f"{name}_written_per_tick", "bytes", [each]) for name, each in written.items()),
        Result.of("largest_growth_mb_per_h", "MiB/h", [max(growths.values())]),
        Result.of("written_per_tick", "bytes", [sum(written.values())]),
        *(() if lag is None else (Result.of("lag", "records", [lag]),)),
        Result.of("deaths", "processes", [deaths]),
    ]
    wrong = [
        *complaints(growths, written if ticks > 0 else {}, deaths, given.minutes),
        *unprocessed(ticks, lag, given.rate),
    ]
    note = f"{given.minutes:g} minutes at {given.rate:,} ticks/s; {ticks:,} ticks came through"
    report(results, [note, *wrong], as_json=given.json)
    return 1 if wrong else 0


def complaints(
    growths: Mapping[str, float], written: Mapping[str, float], deaths: int, minutes: float
) -> tuple[str, ...]:
    """Return what is wrong: `growths` in MiB/h, `written` in bytes for a tick, each by process."""
    found = [f"{deaths} processes ended by themselves"] if deaths else []
    if minutes >= JUDGED_MINUTES:
        found += [f"{name} grows by {by:.1f} MiB/h" for name, by in growths.items() if by > FLAT_MB_PER_H]
    if (total := sum(written.values())) > WRITTEN_PER_TICK:
        most = max(written, key=written.__getitem__)
        found.append(f"{total:,.0f} bytes were written for a tick, {written[most]:,.0f} of them by {most}")
    return tuple(found)


def unprocessed(ticks: int, lag: int | None, rate: int) -> tuple[str, ...]:
    """Return what is wrong with what came through: `ticks` in all, `lag` records behind at the end, `rate` ticks/s."""
    found = [] if ticks > 0 else ["no tick came through"]
    if lag is None:
        found.append("at the end Kafka did not say how far the groups are behind")
    elif lag > LAG_S * rate:
        found.append(f"at the end the groups were {lag:,} records behind")
    return tuple(found)


def _status(data: Path) -> Report:
    return status(Settings(data=data, _env_file=None), data)


@contextmanager
def _up(data: Path, rate: int) -> Iterator[Callable[[], bool]]:
    """Run `up` in a data folder of its own; gives what tells whether it still runs."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
    if "TRADEWIND_CACHE" in os.environ:
        own["TRADEWIND_CACHE"] = os.environ["TRADEWIND_CACHE"]
    options = ("--data", str(data), "--base-port", str(ports(None).base), "--rate", str(rate))
    command = [sys.executable, "-P", "-m", "tradewind.infra.cli", "up", *options]
    with (
        (data / LOGS / "up.log").open("wb") as out,
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


@dataclass(slots=True)
class Series:
    """Memory and written bytes of one process, by time. A new process of the same name begins a new series."""

    pid: int
    times_s: list[float] = field(default_factory=list)
    rss: list[int] = field(default_factory=list)
    """Resident memory, bytes."""
    at_first: int = 0
    """Bytes that it, and what it started, had written when it was seen first, and last."""
    at_last: int = 0
    before: int = 0
    """Bytes that earlier processes of the name wrote."""

    def see(self, at_s: float, process: psutil.Process) -> None:
        """Note what a process holds and has written; those that it waited for are counted by the kernel."""
        written = sum(one.io_counters().write_bytes for one in (process, *process.children(recursive=True)))
        resident = process.memory_info().rss
        if not self.times_s:
            self.at_first = written
        self.at_last = max(self.at_last, written)
        self.times_s.append(at_s)
        self.rss.append(resident)

    @property
    def written(self) -> int:
        """Bytes given to the disk since it was seen first."""
        return self.before + self.at_last - self.at_first

    @property
    def rss_mb(self) -> float:
        """The median of the last samples, MiB."""
        return float(np.median(self.rss[-max(1, int(len(self.rss) * LAST)) :])) / MIB

    @property
    def growth_mb_per_h(self) -> float:
        """The Theil-Sen slope of the second half, MiB per hour (Sen 1968, JASA 63, 1379-1389)."""
        late = slice(int(len(self.rss) * (1 - TREND)), None)
        at, size = np.array(self.times_s[late]), np.array(self.rss[late]) / MIB
        first, second = np.triu_indices(len(at), 1)
        return float(np.median((size[second] - size[first]) / (at[second] - at[first]))) * HOUR_S if len(first) else 0.0


def _sample(data: Path, seconds: float, alive: Callable[[], bool]) -> Mapping[str, Series]:
    """Look at each process of `up` again and again."""
    found: dict[str, Series] = {}
    begun, minute = time.monotonic(), 0
    while (now := time.monotonic() - begun) < seconds:
        if now >= minute * MINUTE_S:
            minute += 1
            say(f"minute {minute} of {seconds / MINUTE_S:.0f}, about {minutes(seconds - now)} left")
        if not alive():
            raise RuntimeError(f"up ended: {(data / 'up.out').read_text()[-2000:]}")
        for name, record in recorded(data / "run").items():
            known = found.get(name)
            if known is None or known.pid != record.pid:
                known = found[name] = Series(record.pid, before=0 if known is None else known.written)
            try:
                with suppress(psutil.NoSuchProcess):  # it ended between the two looks, which `deaths` tells
                    known.see(now, psutil.Process(record.pid))
            except psutil.AccessDenied as error:
                raise RuntimeError(
                    f"this user may not see what {name} (process {record.pid}) writes: run the bench as another user "
                    "than root, so that all processes are its own, or give it CAP_SYS_PTRACE"
                ) from error
        time.sleep(seconds / SAMPLES)
    return {name: series for name, series in found.items() if len(series.times_s) > 1}
