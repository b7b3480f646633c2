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
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.registry import open_codec
from tradewind.connectors.settings import Settings
from tradewind.infra.bench.parts.end_to_end import WARM_UPS, end_to_end_runs
from tradewind.infra.bench.parts.filled import markets
from tradewind.infra.bench.parts.hops import Hops, capacity, latency_ms
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.bench.parts.services import services
from tradewind.infra.bench.ticks import PEER_BARS, described, peer_rate, recorded, tradewind_pace
from tradewind.schemas.codec import Codec
from tradewind.topics import BARS, DOMAIN_TOPICS

PEERS = ("faust", "quixstreams", "quixstreams_eos")
RATES = (500, 50)  # the larger one first, which leaves the broker warmer for the smaller
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
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns the exit code."""
    given = arguments(argv)
    files = recorded()
    found: Runs = {}
    with services(optimise_java=True) as settings:
        codec = open_codec(settings)
        ensure(settings, (*DOMAIN_TOPICS, replace(BARS, name=PEER_BARS)))
        filled = markets(settings, codec, files, given.ticks)
        for run in range(given.runs):
            _ticks(filled, run, given, found)
        found["end_to_end_ticks_per_s"] = end_to_end_runs(settings, given.ticks, given.runs)
        for run in range(given.runs):
            passed = capacity(settings, codec, Hops(f"hops-{run}"), given.hop_events)
            found.setdefault("eos_two_hops_per_s", []).append(passed)
        latency_ms(settings, codec, Hops("warm-up"), RATES[0], WARM_UP_S)
        for run in range(given.runs):  # last, when the broker is warm: their transactions are the smallest
            _latencies(settings, codec, run, given.seconds, found)
    report(
        [Result.of(name, _unit(name), runs) for name, runs in found.items()], _notes(given, files), as_json=given.json
    )
    return 0


def _ticks(filled: Mapping[str, Settings], run: int, given: argparse.Namespace, found: Runs) -> None:
    for kind, settings in filled.items():
        own, peak = tradewind_pace(settings, f"bench-market-{run}", given.ticks)
        found.setdefault(f"ticks_to_bars_{kind}per_s", []).append(own.per_s)
        found.setdefault("worker_peak_rss_mb", []).append(peak)
    for peer in PEERS:
        found.setdefault(f"{peer}_ticks_per_s", []).append(peer_rate(filled[""], peer, run, given.peer_ticks))


def _latencies(settings: Settings, codec: Codec, run: int, seconds: float, found: Runs) -> None:
    for kind, tasks in TASKS.items():
        for rate in RATES:
            latencies = latency_ms(settings, codec, Hops(f"hops-{run}-{tasks}-{rate}", tasks), rate, seconds)
            for percent in (50, 99):
                figure = f"eos_{kind}{rate}_p{percent}_ms"
                found.setdefault(figure, []).append(float(np.percentile(latencies, percent)))


def _unit(name: str) -> str:
    if name.endswith("_ms"):
        return "ms"
    return "MiB" if name.endswith("_mb") else "events/s" if "hops" in name else "ticks/s"


def _notes(given: argparse.Namespace, files: Sequence[Path]) -> list[str]:
    return [
        described(files, given.ticks, given.peer_ticks),
        f"two hops, 12 keys: {given.hop_events:,} events over 4 tasks; {given.seconds:.0f} s at each rate after 5 s",
        f"Java servers with their optimising compiler; the whole pipeline runs {WARM_UPS} times more, before its runs",
        f"and two hops of 4 tasks run for {WARM_UP_S:.0f} s at {RATES[0]} events/s before those of the latencies",
    ]
