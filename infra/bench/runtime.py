"""The stream runtime: ticks to bars beside the peers, a whole pipeline, and two exactly-once hops under steady loads.

ticks_to_bars            a pre-filled topic through the market agent, exactly once: decoding, state, changelog, bars;
                         of a busy market, and as `quiet` of recorded days, whose every second tick ends a bar
faust, quixstreams       the same work, at least once, without a changelog; quixstreams_eos: with its exactly-once
end_to_end               feed, broker, market agent and QuestDB sink, all at once
eos_two_hops             two agents in a row, each with state, each a transaction a batch: what they pass at most
eos_RATE_p50, p99        event latency over both hops at a steady rate, from the sender's clock to a committed read,
                         over topics of one partition; as `of_4` over topics of four
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.end_to_end import PIPELINE, WARM_UPS, end_to_end_runs
from tradewind.infra.bench.parts.filled import kinds, markets, titled
from tradewind.infra.bench.parts.hops import Hops, capacity, latency_ms
from tradewind.infra.bench.parts.progress import Progress
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.bench.parts.services import services
from tradewind.infra.bench.ticks import AGENT, PEER_BARS, described, peer_rate, recorded, tradewind_pace
from tradewind.schemas.codec import Codec
from tradewind.topics import BARS, DOMAIN_TOPICS

PEERS = ("faust", "quixstreams", "quixstreams_eos")
RATES = (500, 50)  # the larger one first, which leaves the broker warmer for the smaller
BACKLOG, WARM_UP, LATENCIES = "two hops, backlog", "two hops, warming up", "two hops, latencies"
TASKS = {"": 1, "of_4_": 4}
WARM_UP_S = 240.0  # of two hops at the larger rate: for so long Kafka's optimising compiler has work
Runs = dict[str, list[float]]


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench runtime", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--ticks", type=int, default=2_000_000, help="ticks on the topic")
    parser.add_argument("--peer-ticks", type=int, default=100_000, help="ticks of it that each peer reads")
    parser.add_argument("--hop-events", type=int, default=300_000, help="events before the first of two hops")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each steady rate lasts")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true", help="leave Faust and quixstreams out")
    parser.add_argument(
        "--warm-ups", type=int, default=WARM_UPS, help="runs of the whole pipeline before those that count"
    )
    parser.add_argument("--warm-up-s", type=float, default=WARM_UP_S, help="how long two hops run before the latencies")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit code."""
    given = arguments(argv)
    files = recorded()
    found: Runs = {}
    with services(optimise_java=True) as settings:
        codec, progress = open_codec(settings), Progress(plan(given, [*kinds(files)]), known_s(given))
        ensure(settings, (*DOMAIN_TOPICS, replace(BARS, name=PEER_BARS)))
        filled = markets(settings, codec, files, given.ticks, progress.begin)
        for run in range(given.runs):
            _ticks(filled, run, given, found, progress)
        pipeline = end_to_end_runs(settings, given.ticks, given.runs, progress.begin, given.warm_ups)
        found["end_to_end_ticks_per_s"] = pipeline
        for run in range(given.runs):
            progress.begin(BACKLOG)
            passed = capacity(settings, codec, Hops(f"hops-{run}"), given.hop_events)
            found.setdefault("eos_two_hops_per_s", []).append(passed)
        progress.begin(WARM_UP)
        latency_ms(settings, codec, Hops("warm-up"), RATES[0], given.warm_up_s)
        for run in range(given.runs):  # last, when the broker is warm: their transactions are the smallest
            _latencies(settings, codec, given, run, found, progress.begin)
    report(
        [Result.of(name, _unit(name), runs) for name, runs in found.items()], _notes(given, files), as_json=given.json
    )
    return 0


def plan(given: argparse.Namespace, markets_: Sequence[str]) -> list[str]:
    """Return the kind of each run, in order."""
    fills, agents = ([titled(what, kind) for kind in markets_] for what in ("filling a topic", AGENT))
    return [
        *fills,
        *([*agents, *_peers(given)] * given.runs),
        *([PIPELINE] * (given.warm_ups + given.runs)),
        *([BACKLOG] * given.runs),
        WARM_UP,
        *([LATENCIES] * len(TASKS) * len(RATES) * given.runs),
    ]


def known_s(given: argparse.Namespace) -> dict[str, float]:
    """Return how long runs take whose length is asked for, seconds."""
    return {WARM_UP: given.warm_up_s, LATENCIES: given.seconds}


def _peers(given: argparse.Namespace) -> Sequence[str]:
    return () if given.no_peers else PEERS


def _ticks(
    filled: Mapping[str, Settings], run: int, given: argparse.Namespace, found: Runs, progress: Progress
) -> None:
    for kind, settings in filled.items():
        progress.begin(titled(AGENT, kind))
        own, peak = tradewind_pace(settings, f"bench-market-{run}", given.ticks)
        found.setdefault(f"ticks_to_bars_{kind}per_s", []).append(own.per_s)
        found.setdefault("worker_peak_rss_mb", []).append(peak)
    for peer in _peers(given):
        progress.begin(peer)
        found.setdefault(f"{peer}_ticks_per_s", []).append(peer_rate(filled[""], peer, run, given.peer_ticks))


def _latencies(  # noqa: PLR0917
    settings: Settings, codec: Codec, given: argparse.Namespace, run: int, found: Runs, begin: Callable[[str], None]
) -> None:
    for kind, tasks in TASKS.items():
        for rate in RATES:
            begin(LATENCIES)
            latencies = latency_ms(settings, codec, Hops(f"hops-{run}-{tasks}-{rate}", tasks), rate, given.seconds)
            for percent in (50, 99):
                figure = f"eos_{kind}{rate}_p{percent}_ms"
                found.setdefault(figure, []).append(float(np.percentile(latencies, percent)))


def _unit(name: str) -> str:
    if name.endswith("_ms"):
        return "ms"
    return "MiB" if name.endswith("_mb") else "events/s" if "hops" in name else "ticks/s"


def _notes(given: argparse.Namespace, files: Sequence[Path]) -> list[str]:
    return [
        described(files, given.ticks, 0 if given.no_peers else given.peer_ticks),
        f"two hops, 12 keys: {given.hop_events:,} events over 4 tasks; {given.seconds:.0f} s at each rate after 5 s",
        "Java servers with their optimising compiler; the whole pipeline runs",
        f"{given.warm_ups} times more, before its runs,",
        f"and two hops of 4 tasks run for {given.warm_up_s:.0f} s at {RATES[0]} events/s before those of the latencies",
    ]
