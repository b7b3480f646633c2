"""The one response to a request: an answer, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias

from tradewind.processors.ai.admission import Refused
from tradewind.processors.identity import derive_id
from tradewind.processors.money import ZERO
from tradewind.schemas.ai import AiAttempt, AiOpenState, AiRequest, AiResponse
from tradewind.schemas.event import US_PER_MS

MOST_REASON: Final = 4_096  # characters: the last words of a dozen providers
Status: TypeAlias = Literal["ANSWERED", "REFUSED", "FAILED", "INVALID", "EXPIRED"]
ENDS: Final[Mapping[str, Status]] = {"EXPIRED": "EXPIRED", "SCHEMA": "INVALID"}
"""Codes with a status of their own."""


@dataclass(frozen=True, slots=True)
class End:
    """What ends a request."""

    ts_ingest: int
    """Of the record that ends it, µs."""
    causation_id: str
    of: AiOpenState | None = None
    """How far the request had come; None where it was refused."""
    currency: str = ""


def answered(request: AiRequest, end: End, attempt: AiAttempt, json: str | None = None) -> AiResponse:
    """Return the response with a provider's answer; `json` is the answer as JSON, where it was asked for."""
    return _response(
        request,
        end,
        status="ANSWERED",
        text=attempt.text,
        json=json,
        tool_calls=attempt.tool_calls,
        embeddings=attempt.embeddings,
        finish=attempt.finish,
        provider=attempt.provider,
        model=attempt.model,
        call_id=attempt.call_id,
        source=attempt.source,
    )


def unanswered(request: AiRequest, end: End, why: Refused) -> AiResponse:
    """Return the response to a request that gets no answer."""
    status: Status = ENDS.get(why.code, "REFUSED" if end.of is None else "FAILED")
    return _response(
        request,
        end,
        status=status,
        code=why.code,
        reason=why.reason[:MOST_REASON],
        retry_after_ms=None if why.retry_after_us is None else -(-why.retry_after_us // US_PER_MS),
    )


def _response(request: AiRequest, end: End, **said: Any) -> AiResponse:
    latency_us, of = max(end.ts_ingest - request.ts_ingest, 0), end.of
    known: dict[str, Any] = {
        "reason": "",
        "text": "",
        "json": None,
        "tool_calls": (),
        "embeddings": (),
        "finish": None,
        "input_tokens": 0 if of is None else of.input_tokens,
        "cache_read_tokens": 0 if of is None else of.cache_read_tokens,
        "cache_write_tokens": 0 if of is None else of.cache_write_tokens,
        "output_tokens": 0 if of is None else of.output_tokens,
        "cost": ZERO if of is None else of.cost,
        "suspense": ZERO if of is None else of.suspense,
        "attempts": 0 if of is None else of.calls,
        **said,
    }
    return AiResponse(
        event_id=derive_id("AiResponse", request.event_id),
        tenant_id=request.tenant_id,
        ts_event=request.ts_event + latency_us,
        ts_ingest=end.ts_ingest,
        correlation_id=request.correlation_id,
        request_id=request.event_id,
        kind=request.kind,
        request_type=request.request_type,
        reply_key=request.reply_key,
        causation_id=end.causation_id,
        currency=end.currency,
        text_sha256=sha256(known["text"].encode()).hexdigest(),
        latency_us=latency_us,
        makes_orders=request.makes_orders,
        **known,
    )
