"""Topics of the AI domain: requests, calls to providers, what came of them, responses, and the settings of all that."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tradewind.schemas.ai import AiAttempt, AiCall, AiPrice, AiProvider, AiRequest, AiResponse, AiRoute
from tradewind.topics.topic import KEEP_ALL, MIB, Topic

if TYPE_CHECKING:
    from tradewind.schemas.event import Event

KEPT_BYTES = 256 * MIB  # a request may have 512 KiB: 500 of the largest, or a day of 10,000 ordinary ones
SEGMENT_BYTES = 64 * MIB


def _tenant(event: Event) -> str:
    return cast("AiRequest | AiAttempt", event).tenant_id


def _prompt(event: Event) -> str:
    call = cast("AiCall", event)
    return f"{call.tenant_id}/{call.digest}"


def _reply(event: Event) -> str:
    return cast("AiResponse", event).reply_key


def _setting(event: Event) -> str:
    match event:
        case AiProvider():
            return f"provider/{event.tenant_id or '*'}/{event.name}"
        case AiRoute():
            return f"route/{event.tenant_id or '*'}/{event.request_type}"
        case AiPrice():
            return f"price/{event.tenant_id or '*'}/{event.provider}/{event.model}"
    raise TypeError(f"settings of AI have no {type(event).__name__}")


AI_REQUESTS = Topic(
    name="ai.requests",
    model=AiRequest,
    key=_tenant,
    owner="ai",
    total="ai_requests",
    producers=("cli", "signals"),
    consumers=("ai",),
    partitions=1,
    retention_bytes=KEPT_BYTES,
    segment_bytes=SEGMENT_BYTES,
)
"""One partition, as of all that the agent reads: the limits of a provider's key are shared by tenants."""
AI_CALLS = Topic(
    name="ai.calls",
    model=AiCall,
    key=_prompt,
    owner="ai",
    producers=("ai",),
    consumers=("caller-ai",),
    retention_bytes=KEPT_BYTES,
    segment_bytes=SEGMENT_BYTES,
)
"""By tenant and prompt, so that equal requests of a tenant meet in one caller, which makes one call of them."""
AI_ATTEMPTS = Topic(
    name="ai.attempts",
    model=AiAttempt,
    key=_tenant,
    owner="ai",
    producers=("caller-ai",),
    consumers=("ai", "postgres"),
    partitions=1,
    retention_bytes=KEPT_BYTES,
    segment_bytes=SEGMENT_BYTES,
)
AI_RESPONSES = Topic(
    name="ai.responses",
    model=AiResponse,
    key=_reply,
    owner="ai",
    total="ai_responses",
    producers=("ai",),
    consumers=("signals", "postgres"),
    retention_bytes=KEPT_BYTES,
    segment_bytes=SEGMENT_BYTES,
)
"""As many partitions as bars have: a question of a strategy is answered on the partition of its instrument."""
AI_SETTINGS = Topic(
    name="ai.settings",
    model=AiProvider,
    also=(AiRoute, AiPrice),
    key=_setting,
    owner="ai",
    producers=("prepare", "cli"),
    consumers=("ai",),
    partitions=1,
    retention_bytes=KEEP_ALL,
)
"""Kept for ever and never compacted: a replay decides by the settings that held then."""
