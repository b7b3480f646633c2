"""How many requests get a kept answer: prompts of a Zipf distribution come at a steady rate; no Valkey, no Kafka.

Time is the workload's own, so that answers expire as they would: `RATE` requests a second, over 5.6 hours.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from tradewind.connectors.ai.answer import Answer, Tokens
from tradewind.connectors.ai.cache.cache import AnswerCache
from tradewind.connectors.ai.cache.meanings import Meanings
from tradewind.connectors.ai.cache.memory import SECONDS, MemoryAnswers
from tradewind.connectors.calls.kind import Sending
from tradewind.infra.bench.parts.ai.opposites import opposites
from tradewind.infra.bench.parts.ai.ours import call
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiCall

PROMPTS, REQUESTS, EXPONENT, SEED = 2_000, 20_000, 1.1, 1
RATE = 1.0  # requests/s
FOREVER_S = 1e9
PAIRS = 500
FORMS = ("What is the outlook for company {} today?", "what's the outlook for company {} today",
         "Hello, what is the outlook for company {} today?")  # fmt: skip
ANSWER = Answer("OK", text="It is calm.", finish="STOP", tokens=Tokens(input=20, output=5), model="m")
Rates = dict[str, float]


def rates() -> Rates:
    """Return which part of the requests of the workload gets an answer from where."""
    prompts = workload()
    exact = found(prompts, [0] * REQUESTS, "EXACT", SECONDS)
    kept = found(prompts, [0] * REQUESTS, "EXACT", FOREVER_S)
    forms = np.random.default_rng(SEED).integers(len(FORMS), size=REQUESTS).tolist()
    worded, alike = found(prompts, forms, "EXACT", SECONDS), found(prompts, forms, "SEMANTIC", SECONDS)
    return {
        "hit_rate": exact["memory"] / REQUESTS,
        "hit_rate_without_expiry": kept["memory"] / REQUESTS,
        "hit_rate_three_wordings": worded["memory"] / REQUESTS,
        "semantic_hit_rate_three_wordings": alike["semantic"] / REQUESTS,
        "exact_hit_rate_beside_semantic": alike["memory"] / REQUESTS,
    }


def workload() -> list[int]:
    """Return which prompt each request asks."""
    weights = 1 / np.arange(1, PROMPTS + 1) ** EXPONENT
    return np.random.default_rng(SEED).choice(PROMPTS, REQUESTS, p=weights / weights.sum()).tolist()  # type: ignore[no-any-return]


def found(prompts: Sequence[int], forms: Sequence[int], cache: str, seconds: float) -> Counter[str]:
    """Return where the answers to requests came from; each asks its prompt in one of `FORMS`."""
    asked = [asking(FORMS[form].format(prompt), cache) for prompt, form in zip(prompts, forms, strict=True)]
    return asyncio.run(_found(asked, seconds))


def false_hits() -> int:
    """Return how many questions get the answer to one that is the opposite, or asks for something else."""

    async def wrong(one: str, other: str) -> bool:
        return bool((await _found([asking(one, "SEMANTIC"), asking(other, "SEMANTIC")], SECONDS))["semantic"])

    async def all_wrong() -> int:
        return sum([await wrong(one, other) for _, one, other in opposites(PAIRS)])

    return asyncio.run(all_wrong())


def asking(question: str, cache: str) -> AiCall:
    """Return a call that asks a question."""
    body = json.dumps({"max_tokens": 64, "messages": [{"role": "user", "content": question}]}, sort_keys=True)
    made = call("http://127.0.0.1", next(_numbers), streamed=False)
    return replace(made, body=body, digest=derive_id("bench", body), cache=cache)  # type: ignore[arg-type]


async def _found(asked: Sequence[AiCall], seconds: float) -> Counter[str]:
    now = 0.0
    cache = AnswerCache(
        MemoryAnswers(seconds=seconds, clock=lambda: now), meanings=Meanings(seconds=seconds, clock=lambda: now)
    )
    for number, one in enumerate(asked):
        now = number / RATE
        await cache.answer(one, Sending(), _ask)
    return Counter({str(where): count for where, count in cache.found.items()})


async def _ask(_call: AiCall, _sending: Sending) -> tuple[Answer, int]:
    return ANSWER, 1


_numbers = count()
