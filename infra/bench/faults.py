"""The fault suite: a load runs through two exactly-once agents while workers and brokers are killed, frozen, stopped.

Faults come at moments that a seed chooses: kill -9 of a worker, one more worker, one less, a worker frozen between
staging its offsets and committing them until others have its partitions, a worker that lives on while its transaction
times out, a broker of three killed or stopped for a while, offsets that expire. At the end, read committed: every
event has come out of each agent once, in order, and the whole state of both is what a recomputation from scratch gives.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence

from tradewind.connectors.registry import open_codec
from tradewind.infra.bench.parts.faults.chaos import Chaos
from tradewind.infra.bench.parts.faults.load import Load
from tradewind.infra.bench.parts.faults.verdict import Verdict, verdict
from tradewind.infra.bench.parts.hops import Hops
from tradewind.infra.bench.parts.progress import minutes, say
from tradewind.infra.bench.parts.results import Result, report
from tradewind.infra.bench.parts.services import stack
from tradewind.streams.runtime.timings import USUAL, Timings

BROKERS = 3  # replication 3, two in sync: one may be away
SHORT = Timings(session_s=3.0, transaction_s=3.0)
SHORT_LATENCY_S = 0.15
"""Between two transactions of an agent in the short form. Paced as usual, three brokers have twice as much to do."""
SERVICES = ("kafka", "registry")
RATE = 2_000  # events/s: each fault meets transactions in flight, and two cores hold out


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50, help="kill -9 of workers and brokers, at least")
    parser.add_argument(
        "--short",
        action="store_true",
        help=f"each kind of fault once, and sessions and transactions of {SHORT.session_s:g} s, instead of --kills",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=RATE, help="events a second")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the suite; returns 1 where anything was lost, doubled, or kept wrongly."""
    given = arguments(argv)
    found, done, notes = suite(given.kills, given.seed, given.rate, short=given.short)
    results = [
        Result.of("kills", "processes", [found.kills]),
        Result.of("inputs", "events", [found.inputs]),
        Result.of("lost", "events", [found.lost]),
        Result.of("doubled", "events", [found.doubled]),
        Result.of("disordered", "events", [found.disordered]),
        Result.of("state_mismatches", "keys", [found.state_mismatches]),
        Result.of("duration_s", "s", [found.duration_s]),
        *(Result.of(what, "times", [times]) for what, times in done.items()),
    ]
    report(results, notes, as_json=given.json)
    return 0 if found.clean else 1


def suite(kills: int, seed: int, rate: int = RATE, *, short: bool = False) -> tuple[Verdict, dict[str, int], list[str]]:
    """Run faults until there were `kills` kills and each kind came, let all come to rest, and judge.

    A `short` suite has each kind once, whatever `kills` says, and workers with short timings.

    Returns the verdict, how often each kind came, and notes.
    """
    begun, kills = time.monotonic(), 0 if short else kills
    hops, timings = Hops("faults", latency_s=SHORT_LATENCY_S if short else None), SHORT if short else USUAL
    with stack(brokers=BROKERS, only=SERVICES) as (own, settings):
        codec = open_codec(settings)
        hops.create(settings)
        chance = random.Random(seed)  # noqa: S311 - so that a seed repeats the faults
        with (
            Load(settings, codec, hops.topic(0), rate) as load,
            Chaos(own, settings, hops, chance, timings, once=short) as chaos,
        ):
            while chaos.kills < kills or chaos.missing:
                told = chaos.next()
                say(f"{progress(chaos.kills, kills, time.monotonic() - begun)}, {load.sent:,} events: {told}")
            say("no more faults: the agents process what is left, and all of it is compared")
            inputs = load.stop()
            chaos.settle()
        found = verdict(settings, codec, hops, inputs)
    notes = [f"seed {seed}; {rate:,} events/s offered", *found.examples]
    return found.after(chaos.kills, time.monotonic() - begun), chaos.done, notes


def progress(killed: int, kills: int, so_far_s: float) -> str:
    """Return how far the faults have come, and how long the rest of the kills will take at the same pace."""
    told = f"{killed} of {kills} kills; {minutes(so_far_s)} so far"
    return f"{told}, about {minutes(so_far_s / killed * (kills - killed))} left" if 0 < killed < kills else told
