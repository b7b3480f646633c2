"""A response without an answer, as HTTP says it, in a way that OpenAI's clients understand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tradewind.connectors.gateway.ai.asker import ONCE
from tradewind.connectors.gateway.problems import Problem
from tradewind.schemas.ai import AiResponse

STATUS: Final[Mapping[str, int]] = {
    "UNKNOWN_TENANT": 403,
    "TENANT_SUSPENDED": 403,
    "TENANT_CLOSED": 403,
    "BAD_REQUEST": 400,
    "UNKNOWN_PROMPT": 404,
    "TOO_LARGE": 413,
    "TOO_LONG": 400,
    "FILTERED": 400,
    "RATE": 429,
    "BUDGET": 402,
    "NO_ROUTE": 404,
    "UNPRICED": 409,
    "EXHAUSTED": 502,
    "SCHEMA": 502,
    "EXPIRED": 504,
}
"""Code of a response -> status."""
REMEDY: Final[Mapping[str, str]] = {
    "NO_ROUTE": "GET /api/v1/ai/models lists the models and routes",
    "RATE": "wait as Retry-After says",
    "BUDGET": "an operator raises the budget: ./dev tenants set",
    "UNPRICED": "an operator gives the model a price: docs/ai.md",
    "EXHAUSTED": "./dev ai health says how calls of each model have ended",
    "SCHEMA": "ask with a simpler schema, or another model",
    "EXPIRED": "give a longer deadline_ms, up to ten minutes",
}
OTHERWISE: Final = "docs/ai.md says what each code means"


def refusal_of(response: AiResponse) -> Problem:
    """Return the problem of a response that has no answer."""
    code = response.code or "UNKNOWN"
    if code == "RATE" and response.retry_after_ms is not None:
        headers = {"Retry-After": str(max(1, -(-response.retry_after_ms // 1_000)))}
    else:
        headers = ONCE
    detail = response.reason or f"the request ended as {response.status}"
    return Problem(STATUS.get(code, 502), code, detail, REMEDY.get(code, OTHERWISE), headers=headers)
