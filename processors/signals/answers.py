"""Open questions of strategies: each gets its answer, or `None` where event time has passed its validity. Once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from tradewind.processors.batch import State
from tradewind.processors.signals.deployed import Deployed
from tradewind.processors.signals.strategy import Answer
from tradewind.schemas.ai import AiRequest, AiResponse
from tradewind.schemas.signals import QuestionsState

QUESTIONS: Final = "questions/"
Question: TypeAlias = Mapping[str, int | str]
"""An open question, as the state has it."""


def keep(state: State, of: tuple[str, str], deployed: Deployed, asked: Sequence[AiRequest]) -> None:
    """Remember questions that a deployment has asked about an instrument (symbol, venue)."""
    if not asked:
        return
    key = f"{QUESTIONS}{asked[0].reply_key}"
    known = state.get(key, QuestionsState) or QuestionsState(
        symbol=of[0], venue=of[1], open=(), asked=0, answered=0, unanswered=0, late=0
    )
    opened: tuple[Question, ...] = tuple(
        {
            "request_id": request.event_id,
            "deployment": deployed.place,
            "strategy": deployed.strategy.name,
            "version": deployed.strategy.version,
            "since": deployed.deployment.since,
            "prompt": request.prompt or "",
            "correlation_id": request.correlation_id,
            "valid_until": request.valid_until or 0,
        }
        for request in asked
    )
    state.put(key, replace(known, open=(*known.open, *opened), asked=known.asked + len(asked)))


def expired(state: State, name: str, reached: int) -> list[Question]:
    """Close the questions about an instrument that event time has passed, and return them as they were asked."""
    known = state.get(f"{QUESTIONS}{name}", QuestionsState)
    if known is None:
        return []
    over = [one for one in known.open if int(one["valid_until"]) <= reached]
    if over:
        left = tuple(one for one in known.open if int(one["valid_until"]) > reached)
        state.put(f"{QUESTIONS}{name}", replace(known, open=left, unanswered=known.unanswered + len(over)))
    return over


def closed(state: State, response: AiResponse, tenant_id: str) -> tuple[QuestionsState, Question, Answer | None] | None:
    """Close the question that a response is for; return its instrument, the question and its answer in time.

    Returns None, and counts the response as late, where no question waits for it.
    """
    key = f"{QUESTIONS}{response.reply_key}"
    known = state.get(key, QuestionsState)
    if known is None or response.tenant_id != tenant_id:
        return None  # of somebody else who waits for responses on this topic
    waiting = next((one for one in known.open if one["request_id"] == response.request_id), None)
    if waiting is None:
        state.put(key, replace(known, late=known.late + 1))
        return None
    late = response.ts_event > int(waiting["valid_until"])
    fine = response.status == "ANSWERED" and not late
    after = replace(
        known,
        open=tuple(one for one in known.open if one["request_id"] != response.request_id),
        answered=known.answered + fine,
        unanswered=known.unanswered + (not fine),
        late=known.late + late,
    )
    state.put(key, after)
    return after, waiting, _answer(response, waiting) if fine else None


def _answer(response: AiResponse, waiting: Question) -> Answer:
    return Answer(
        question=response.request_id,
        prompt=str(waiting["prompt"]),
        text=response.text,
        json=None if response.json is None else json.loads(response.json),
        provider=response.provider or "",
        model=response.model or "",
    )
