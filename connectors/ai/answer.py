"""An answer of a provider, and the attempt that reports it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from tradewind.connectors.calls.call import Unsent
from tradewind.processors.ai.recording import Recorded
from tradewind.processors.identity import derive_id
from tradewind.schemas.ai import AiAttempt, AiCall

Outcome = Literal[
    "OK", "BUSY", "ERROR", "NO_CREDIT", "BAD_KEY", "TIMED_OUT", "UNREACHABLE", "BROKEN", "TRUNCATED", "EMPTY",
    "MALFORMED", "FILTERED", "BAD_REQUEST", "TOO_LONG", "NO_MODEL", "MISSED",
]  # fmt: skip
Timeout = Literal["CONNECT", "FIRST_TOKEN", "IDLE", "TOTAL"]
Finish = Literal["STOP", "LENGTH", "TOOL_CALLS", "FILTER"]
ERROR_CHARACTERS = 500
"""Of what a provider says of an error: enough to know it by. Some quote the whole request."""
ID_CHARACTERS = 256
"""Of names that a provider tells; the schema takes no longer ones."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by class; no token is in two classes."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking a provider once."""

    outcome: Outcome
    error: str | None = None
    """What the provider or the connection said; without keys."""
    text: str = ""
    tool_calls: tuple[Mapping[str, str], ...] = ()
    """Each with `id`, `name` and `arguments` (JSON)."""
    embeddings: tuple[bytes, ...] = ()
    """A vector for each input, of float32 in little endian."""
    finish: Finish | None = None
    tokens: Tokens | None = None
    """None if the provider told none."""
    model: str | None = None
    """The model that answered, as the provider names it."""
    timeout: Timeout | None = None
    http_status: int | None = None
    retry_after_ms: int | None = None
    request_id: str | None = None
    """The provider's own id of the call."""
    first_token_us: int | None = None


def attempt_of(
    call: AiCall,
    answer: Answer,
    now_us: int,
    total_us: int,
    *,
    source: Literal["PROVIDER", "CACHE", "COALESCED"] = "PROVIDER",
    source_call_id: str | None = None,
    semantic: bool = False,
) -> AiAttempt:
    """Return the attempt of a call that was performed, and took `total_us`.

    `source_call_id` is the call that the provider answered, where the answer comes from another one. `semantic` says
    that this call had other words of the same meaning.
    """
    tokens = answer.tokens or Tokens()
    return AiAttempt(
        **_envelope(call, answer.outcome, now_us),
        outcome=answer.outcome,
        timeout=answer.timeout,
        http_status=answer.http_status,
        retry_after_ms=answer.retry_after_ms,
        error=_cut(answer.error, ERROR_CHARACTERS),
        model=_cut(answer.model, ID_CHARACTERS) or call.model,
        provider_request_id=_cut(answer.request_id, ID_CHARACTERS),
        text=answer.text,
        tool_calls=answer.tool_calls,
        embeddings=answer.embeddings,
        finish=answer.finish,
        input_tokens=tokens.input,
        cache_read_tokens=tokens.cache_read,
        cache_write_tokens=tokens.cache_write,
        output_tokens=tokens.output,
        counted=answer.tokens is not None,
        source=source,
        source_call_id=source_call_id,
        semantic=semantic,
        first_token_us=answer.first_token_us,
        total_us=total_us,
    )


def answer_of(found: Recorded) -> Answer:
    """Return a recorded answer as a provider gives it."""
    tokens = Tokens(found.input_tokens, found.cache_read_tokens, found.cache_write_tokens, found.output_tokens)
    return Answer(
        "OK",
        text=found.text,
        tool_calls=found.tool_calls,
        embeddings=found.embeddings,
        finish=cast("Finish", found.finish),
        tokens=tokens if found.counted else None,
        model=found.model,
    )


UNSENT: Mapping[Unsent, str] = {
    Unsent.EXPIRED: "its deadline passed before a caller sent it; ./dev doctor says whether callers are up",
    Unsent.LOST: "its caller ended, or lost its partitions, before it said what became of it",
    Unsent.RETURNED: "its caller stopped before it sent it",
}


def unsent_attempt(call: AiCall, why: Unsent, now_us: int) -> AiAttempt:
    """Return the attempt of a call that was not performed, or of which nothing is known."""
    return AiAttempt(
        **_envelope(call, why.value, now_us),
        outcome=why.value,
        model=call.model,
        text="",
        tool_calls=(),
        embeddings=(),
        input_tokens=0,
        cache_read_tokens=0,
        cache_write_tokens=0,
        output_tokens=0,
        counted=False,
        source="PROVIDER",
        semantic=False,
        total_us=0,
        error=UNSENT[why],
    )


def _envelope(call: AiCall, outcome: str, now_us: int) -> dict[str, Any]:
    return {
        "event_id": derive_id("AiAttempt", call.call_id, outcome),
        "tenant_id": call.tenant_id,
        "ts_event": now_us,
        "ts_ingest": now_us,
        "correlation_id": call.correlation_id,
        "causation_id": call.call_id,
        "call_id": call.call_id,
        "request_id": call.request_id,
        "attempt": call.attempt,
        "provider": call.provider,
        "key_id": call.key_id,
    }


def _cut(text: str | None, characters: int) -> str | None:
    return text if text is None or len(text) <= characters else f"{text[: characters - 1]}…"
