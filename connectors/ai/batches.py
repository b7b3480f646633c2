"""Embeddings of more texts than a provider takes at once: one call, several requests, one answer."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tradewind.connectors.ai.answer import Answer, Tokens
from tradewind.processors.ai.outcomes import RULES
from tradewind.schemas.ai import AiCall


async def in_batches(call: AiCall, most: int | None, ask: Callable[[AiCall], Awaitable[Answer]]) -> Answer:
    """Ask for the embeddings of `most` texts at a time, and return them as one answer; other calls are asked once.

    The first failure ends it. Its tokens are those of the batches before it, so that these are paid.
    """
    if most is None or call.kind != "EMBEDDING":
        return await ask(call)
    body = json.loads(call.body)
    inputs = body["inputs"]
    if len(inputs) <= most:
        return await ask(call)
    answers: list[Answer] = []
    for at in range(0, len(inputs), most):
        part = {**body, "inputs": inputs[at : at + most]}
        answers.append(await ask(replace(call, body=json.dumps(part, ensure_ascii=False))))
        if answers[-1].outcome != "OK":
            return _failed(answers)
    embeddings = tuple(vector for answer in answers for vector in answer.embeddings)
    return replace(answers[0], embeddings=embeddings, tokens=_sum(answers))


def _failed(answers: list[Answer]) -> Answer:
    """Return the last answer, which is a failure, so that the batches before it are paid or held."""
    *before, last = answers
    if not before or RULES[last.outcome].money == "HOLD":
        return last
    if (tokens := _sum(before)) is None:
        return replace(last, outcome="BROKEN", error=f"after {len(before)} batches: {last.error}")
    return replace(last, tokens=tokens)


def _sum(answers: list[Answer]) -> Tokens | None:
    """Return the tokens of all answers; None if one of them tells none."""
    counted = [answer.tokens for answer in answers if answer.tokens is not None]
    if len(counted) < len(answers):
        return None
    return Tokens(
        sum(one.input for one in counted),
        sum(one.cache_read for one in counted),
        sum(one.cache_write for one in counted),
        sum(one.output for one in counted),
    )
