"""A question of a person as an `AiRequest`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from tradewind.connectors.clock.wall import clock_us

if TYPE_CHECKING:
    from tradewind.schemas.ai import AiRequest

REPLY_KEY = "cli"
CACHE: Mapping[str, Literal["OFF", "EXACT", "SEMANTIC"]] = {"off": "OFF", "exact": "EXACT", "semantic": "SEMANTIC"}


def new_request(
    question: str,
    *,
    tenant: str,
    request_type: str,
    provider: str | None,
    model: str | None,
    max_tokens: int,
    deadline_s: float,
    stream: bool = False,
    cache: Literal["off", "exact", "semantic"] = "off",
) -> AiRequest:
    """Return the request; each has an id of its own."""
    from tradewind.schemas.ai import AiRequest  # noqa: PLC0415 - help comes at once

    now_us, event_id = clock_us(), uuid4().hex
    message = {"role": "USER", "content": question, "name": None, "tool_call_id": None, "tool_calls": (), "images": ()}
    return AiRequest(
        event_id=event_id,
        tenant_id=tenant,
        ts_event=now_us,
        ts_ingest=now_us,
        correlation_id=event_id,
        causation_id=event_id,
        kind="CHAT",
        request_type=request_type,
        messages=(message,),
        prompt_values=(),
        inputs=(),
        tools=(),
        max_tokens=max_tokens,
        stop=(),
        provider=provider,
        model=model,
        stream="LIVE" if stream else "NONE",
        cache=CACHE[cache],
        makes_orders=False,
        reply_key=f"{REPLY_KEY}/{event_id}",
        deadline_ms=int(deadline_s * 1_000),
    )
