"""AI requests: what decisions, calls and streams cost, beside the plain packages; with --kills, what faults do.

decide_us_p99             the agent `ai` in memory: CPU from a record, a request or an attempt, to what follows from it
call_cpu_ms               CPU of the caller for a call by the adapter `openai`, decoding and encoding with it, no Kafka;
call_of_openai_sdk,       in parts of the same call by the plain package, and by litellm's router
call_of_litellm_router
stream_cpu_ms             the same for a stream of 60 chunks
stream_of_openai_sdk
stream_memory_kb          memory of a stream in caller and reader, of --streams at once; deltas go by a Valkey
streams_lost              of these, how many were not shown whole, or not answered

The provider is a mock on loopback, in a process of its own. Peers and caller take turns in each run.

With --kills N, caller and agent are killed or frozen at five points while 200 calls are in flight: before a claim,
between claim and send, in flight, after an answer and before its attempt is published; and the agent between a call and
its response. At the end, all topics, the provider's log and `tradewind usage` are compared, and `replay --verify`
repeats the decisions. Each figure but the counts must be 0.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tradewind.infra.bench.parts.ai import kills, speed
from tradewind.infra.bench.parts.results import report


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(
        prog="bench ai", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=800, help="of each driver in a run")
    parser.add_argument("--decisions", type=int, default=10_000, help="requests, each with an attempt")
    parser.add_argument("--streams", type=int, default=1_000, help="at once")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--kills", type=int, help="kills and freezes, at least; no cost is measured then")
    parser.add_argument("--seed", type=int, default=1, help="of the kills")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns 1 if a fault did any harm."""
    given = arguments(argv)
    if given.kills is not None:
        results, notes, wrong = kills.measure(given.kills, given.seed)
    else:
        results, notes = speed.measure(speed.Size(given.calls, given.decisions, given.streams, given.runs))
        wrong = False
    report(results, notes, as_json=given.json)
    return int(wrong)
