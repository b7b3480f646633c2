"""AI requests: what decisions, calls and streams cost, beside the plain packages; with --kills, what faults do.

decide_us_p99             the agent `ai` in memory: CPU from a record, a request or an attempt, to what follows from it
call_cpu_ms               CPU of the caller for a call by the adapter `openai`, decoding and encoding with it, no Kafka;
call_of_openai_sdk,       in parts of the same call by the plain package, and by litellm's router
call_of_litellm_router
stream_cpu_ms             the same for a stream of 60 chunks
stream_of_openai_sdk
stream_memory_kb          memory of each further stream in caller and reader, of up to --streams at once
streams_lost              of --streams, how many were not shown whole, or not answered
overhead_ms_p50, _p95     from the sender's clock to the response, at 100 requests/s, less the 300 ms of the provider:
                          agent, Kafka and caller at work
two_hops_ms_p50, _p95     event latency over two agents in a row at 200 events/s, before and after the former
overhead_bound_ms         1.5 times two hops, and 15 ms: what a request may take
hit_rate                  part of the requests of a Zipf workload that get an answer that the process has kept
hit_rate_without_expiry   the same if answers are kept for ever
hit_rate_three_wordings   the same as the first, if each prompt comes in three wordings of the same meaning
semantic_hit_rate_three_wordings   part that gets the answer to another wording, if requests allow it: counted apart,
exact_hit_rate_beside_semantic     and the part that gets the answer to the same wording beside it
false_hits                of 500 pairs of questions that do not ask the same, how many share an answer

The provider is a mock on loopback, in a process of its own. Peers and caller take turns in each run. --only measures
some parts: decisions, kept (answers), calls (and streams), memory (of streams), overhead.

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
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="of the steady load, and of each two hops")
    parser.add_argument("--only", type=_parts, default=speed.PARTS, metavar="PART,...", help="what is measured")
    parser.add_argument("--kills", type=int, help="kills and freezes, at least; no cost is measured then")
    parser.add_argument("--seed", type=int, default=1, help="of the kills")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(argv)


def _parts(text: str) -> tuple[str, ...]:
    named = tuple(text.split(","))
    if unknown := [part for part in named if part not in speed.PARTS]:
        raise argparse.ArgumentTypeError(f"there is no part {unknown[0]!r}; parts are {', '.join(speed.PARTS)}")
    return named


def main(argv: Sequence[str]) -> int:
    """Run the bench; returns 1 if a fault did any harm."""
    given = arguments(argv)
    if given.kills is not None:
        results, notes, wrong = kills.measure(given.kills, given.seed)
    else:
        results, notes = speed.measure(
            speed.Size(given.calls, given.decisions, given.streams, given.runs, given.seconds, given.only)
        )
        wrong = False
    report(results, notes, as_json=given.json)
    return int(wrong)
