"""AI requests under faults: caller and agent are killed or frozen at five points while 200 calls are in flight.

The points: before a claim, between claim and send, in flight, after an answer and before its attempt is published; and
the agent between a call and its response. A process is killed by kill -9, or frozen until its successor works. A
provider on loopback logs each call id and counts its tokens. At the end, all topics, the provider's log and `tradewind
usage` are compared, and `replay --verify` repeats the decisions. Some calls in suspense are settled by `ai reconcile`.
Each figure but the counts must be 0.
"""

from __future__ import annotations

import time

from tradewind.connectors.registry import open_codec
from tradewind.infra.bench.faults import progress
from tradewind.infra.bench.parts.ai.asked import Asked
from tradewind.infra.bench.parts.ai.faults import KINDS, Faults
from tradewind.infra.bench.parts.ai.held_caller import ADAPTER
from tradewind.infra.bench.parts.ai.judged import Judged
from tradewind.infra.bench.parts.ai.prepared import Double, prepare
from tradewind.infra.bench.parts.ai.provider import Provider
from tradewind.infra.bench.parts.ai.reconciled import Reconciled
from tradewind.infra.bench.parts.progress import say
from tradewind.infra.bench.parts.results import Result
from tradewind.infra.bench.parts.services import services

IN_FLIGHT = 200  # calls at the same time
OPEN = 250  # requests: the rest waits unclaimed
ATTEMPTS = 30  # of one request: more than faults can take from it


def measure(kills: int, seed: int) -> tuple[list[Result], list[str], bool]:
    """Run the faults; return figures, notes, and whether anything is wrong."""
    begun = time.monotonic()
    wrong, counts, done = suite(kills, seed)
    results = [Result.of(name, "cases", [count]) for name, count in wrong.items()]
    results += [Result.of(name, "times", [count]) for name, count in (*counts.items(), *done.items())]
    results.append(Result.of("duration_s", "s", [time.monotonic() - begun]))
    return results, [f"seed {seed}; {OPEN} requests open, {IN_FLIGHT} calls in flight at most"], any(wrong.values())


def suite(kills: int, seed: int) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Run faults until there were enough and each kind came; return what is wrong, counts, and faults by kind."""
    begun = time.monotonic()
    with services() as settings, Provider(seed) as provider:
        codec, price = open_codec(settings), prepare(settings, _double(provider.url))
        with Asked(settings, codec, OPEN, seed) as asked, Faults(settings, provider, asked, seed) as faults:
            while faults.kills < max(kills, len(KINDS)):
                told = faults.next()
                far = progress(faults.kills, kills, time.monotonic() - begun)
                say(f"{far}, {len(asked.responses):,} responses: {told}")
            say("no more faults: what is open is answered, and all of it is compared")
            asked.stop()
            reconciled = Reconciled(settings, codec, provider, price).wrong()
            faults.stop()
            judged = Judged(settings, codec, provider, asked, price=price, claimed=faults.claimed)
            wrong = {**judged.wrong(), **reconciled}
            counts = {**judged.evidence.counts(), "calls_that_waited_at_faults": faults.waiting}
        done = {f"{way}, {point}": count for (point, way), count in faults.done.items()}
    return wrong, counts, done


def _double(url: str) -> Double:
    return Double(url, ADAPTER, ADAPTER, ADAPTER.upper(), IN_FLIGHT, ATTEMPTS)
