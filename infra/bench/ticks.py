"""Ticks to bars from a pre-filled topic: Tradewind's market agent beside plain Faust and quixstreams, in one run.

tradewind   exactly once: decodes, keeps state with its changelog, writes bars, all in transactions
faust       at least once: one event at a time, state in a dict without changelog
quixstreams at least once: one event at a time, state in a dict without changelog

Each is a process of its own on the same topic, one after the other, `--runs` times in turn; the rate is taken between a
warm-up and the end. The peers, being slower, read `--peer-ticks` of the topic. Then, end to end: a feed at full speed,
the broker, the agent and the sink all at once, until QuestDB has the last tick; once more than `--runs` says, for the
first one is the Java servers' warm-up, whose optimising compiler is on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import tradewind
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.end_to_end import PIPELINE, WARM_UPS, end_to_end_runs
from tradewind.infra.bench.parts.filled import kinds, markets, titled
from tradewind.infra.bench.parts.measured import GroupProgress, Pace, pace, peak_rss_mb
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.bench.parts.services import LOGS, services, start
from tradewind.streams.market import market
from tradewind.streams.runtime import agent_topics, group_of
from tradewind.topics import BARS, DOMAIN_TOPICS, TICKS

CHECKOUT = Path(tradewind.__file__).resolve().parents[1]
SHARED_DATA = CHECKOUT.parent / "shared" / "data"
PEERS = CHECKOUT / "infra" / "bench" / "peers"
SCHEMAS = CHECKOUT / "schemas"
FILES = ("oanda-eurusd-quotes-20140501.zip", "oanda-xauusd-quotes-20140501.zip")
AGENT = "market agent"
PEER_BARS = "bench.bars"
TIMEOUT_S = 600.0
STOP_S = 20.0


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench ticks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--ticks", type=int, default=2_000_000, help="ticks on the topic")
    parser.add_argument("--peer-ticks", type=int, default=100_000, help="ticks of it that each peer reads")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--files", type=Path, nargs="*", help="sources to repeat as a quiet market; none: leave it out")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit code."""
    given = arguments(argv)
    files = [path.resolve() for path in given.files] if given.files is not None else recorded()
    with services(optimise_java=True) as settings:
        progress = Progress(_plan([*kinds(files)], given.runs))
        ensure(settings, (*DOMAIN_TOPICS, replace(BARS, name=PEER_BARS)))
        filled = markets(settings, open_codec(settings), files, given.ticks, progress.begin)
        rates: dict[str, list[float]] = {
            **{f"tradewind_{kind}".rstrip("_"): [] for kind in filled},
            "faust": [],
            "quixstreams": [],
        }
        memory: list[float] = []
        for run in range(given.runs):
            for kind, own in filled.items():
                progress.begin(titled(AGENT, kind))
                pace_, peak = tradewind_pace(own, f"bench-market-{run}", given.ticks)
                rates[f"tradewind_{kind}".rstrip("_")].append(pace_.per_s)
                memory.append(peak)
            for peer in ("faust", "quixstreams"):
                progress.begin(peer)
                rates[peer].append(peer_rate(settings, peer, run, given.peer_ticks))
        whole = end_to_end_runs(settings, given.ticks, given.runs, progress.begin)
    results = [
        *(Result.of(f"{name}_ticks_per_s", "ticks/s", runs) for name, runs in rates.items()),
        Result.of("end_to_end_ticks_per_s", "ticks/s", whole),
        Result.of("worker_peak_rss_mb", "MiB", memory),
    ]
    report(results, [described(files, given.ticks, given.peer_ticks)], as_json=given.json)
    return 0


def _plan(markets_: Sequence[str], runs: int) -> list[str]:
    fills, agents = ([titled(what, kind) for kind in markets_] for what in ("filling a topic", AGENT))
    return [*fills, *([*agents, "faust", "quixstreams"] * runs), *([PIPELINE] * (WARM_UPS + runs))]


def recorded() -> list[Path]:
    """Return the recorded days that are here."""
    return [SHARED_DATA / name for name in FILES if (SHARED_DATA / name).exists()]


def described(files: Sequence[Path], ticks: int, peer_ticks: int) -> str:
    """Return what was measured, in a line."""
    quiet = f"; quiet: {' and '.join(path.name for path in files)}" if files else ""
    peers = f"; peers read {peer_ticks:,} of the former" if peer_ticks else ""
    busy = f"{ticks:,} ticks of three simulated instruments at 1,000 ticks/s"
    return f"{busy}{quiet}; warm-up a tenth of what is read{peers}"


def tradewind_pace(settings: Settings, name: str, ticks: int) -> tuple[Pace, float]:
    """Run the market agent over the whole topic; return its pace and its peak memory, MiB."""
    agent = replace(market(settings), name=name)
    ensure(settings, agent_topics(agent))
    with ExitStack() as stack:
        progress = stack.enter_context(
            GroupProgress(settings, group_of(agent, settings), settings.physical(TICKS), TICKS.partitions)
        )
        command = [sys.executable, "-P", "-m", "tradewind.infra.bench.parts.market_worker", name]
        environment = {"TRADEWIND_DATA": str(settings.data), "TRADEWIND_NAMESPACE": settings.namespace}
        worker = start(settings, f"{settings.namespace}{name}", command, {**os.environ, **environment})
        try:
            found = pace(progress.records, ticks // 10, ticks, lambda: worker.poll() is None, TIMEOUT_S)
            peak = peak_rss_mb(worker.pid)
        finally:
            worker.terminate()
            worker.wait(STOP_S)
    return found, peak


def peer_rate(settings: Settings, peer: str, run: int, ticks: int) -> float:
    """Run a peer until it has read `ticks` ticks; return its rate, ticks/s.

    `PEER_eos` is the peer with its exactly-once guarantee.
    """
    program, _, guarantee = peer.partition("_")
    python = sys.executable if peer == "faust" else str(CHECKOUT / ".venv-bench" / "bin" / "python")
    command = [python, str(PEERS / f"{program}_bars.py"), settings.bootstrap, settings.physical(TICKS), PEER_BARS]
    command += [str(SCHEMAS), str(ticks // 10), str(ticks), f"bench.{peer}.{run}"]
    command += [guarantee] if guarantee else []
    with (
        (settings.data / LOGS / f"{peer}-{run}.log").open("ab") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=settings.data) as process,
    ):
        try:
            return _rate(process, ticks)
        finally:
            process.kill()


def _rate(process: subprocess.Popen[str], ticks: int) -> float:
    assert process.stdout is not None
    marks: list[tuple[int, float]] = []
    deadline = time.monotonic() + TIMEOUT_S
    for line in process.stdout:
        if line.startswith("mark "):
            _, count, at = line.split()
            marks.append((int(count), float(at)))
        if marks and marks[-1][0] == ticks:
            (before, began), (after, ended) = marks[0], marks[-1]
            return (after - before) / (ended - began)
        if time.monotonic() > deadline:
            break
    raise RuntimeError(f"the peer ended, or was silent, after {marks[-1][0] if marks else 0:,} of {ticks:,} ticks")
