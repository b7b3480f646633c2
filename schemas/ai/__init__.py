"""Event models of the ai domain. Generated from the .avsc files beside it by schemas/generate.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal, Self

from tradewind.schemas.event import Event

__all__ = [
    "AiAdmittedState",
    "AiAttempt",
    "AiBreakerState",
    "AiBudgetState",
    "AiCall",
    "AiCallState",
    "AiHourState",
    "AiKeyState",
    "AiLatencyState",
    "AiNowState",
    "AiOpenState",
    "AiPrice",
    "AiPricesState",
    "AiProvider",
    "AiRequest",
    "AiResponse",
    "AiRoute",
    "AiSettingsState",
    "AiTenantState",
    "AiTurnState",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AiAdmittedState(Event):
    """State of the AI agent: the requests of a tenant that the agent has admitted."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiAdmittedState"
    VERSION: ClassVar[int] = 1

    tenant_id: str
    """the tenant"""
    hour_start: int
    """first moment of the hour of the newest admitted request"""
    hour_count: int
    """requests admitted in that hour"""
    day_start: int
    """first moment of the day of the newest admitted request, in UTC"""
    day_count: int
    """requests admitted in that day"""
    recent: tuple[str, ...]
    """ids of the newest admitted requests, oldest first"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            hour_start=record["hour_start"],
            hour_count=record["hour_count"],
            day_start=record["day_start"],
            day_count=record["day_count"],
            recent=tuple(record["recent"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "hour_start": self.hour_start,
            "hour_count": self.hour_count,
            "day_start": self.day_start,
            "day_count": self.day_count,
            "recent": list(self.recent),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AiAttempt(Event):
    """What came of a call. A call that was LOST may be followed by its late answer."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiAttempt"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "call_id": "name",
        "request_id": "name",
        "attempt": "ordinal",
        "http_status": "http_status",
        "retry_after_ms": "count",
        "error": "note",
        "provider": "name",
        "model": "name",
        "key_id": "name",
        "provider_request_id": "label",
        "text": "any",
        "input_tokens": "count",
        "cache_read_tokens": "count",
        "cache_write_tokens": "count",
        "output_tokens": "count",
        "source_call_id": "name",
        "first_token_us": "count",
        "total_us": "count",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """when the attempt ended, by the caller's clock"""
    ts_ingest: int
    """when the attempt ended: its caller is the origin of what follows"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    call_id: str
    """the call"""
    request_id: str
    """the request"""
    attempt: int
    """number of the call among those of its request"""
    outcome: Literal[
        "UNKNOWN",
        "OK",
        "BUSY",
        "ERROR",
        "NO_CREDIT",
        "BAD_KEY",
        "TIMED_OUT",
        "UNREACHABLE",
        "BROKEN",
        "TRUNCATED",
        "EMPTY",
        "MALFORMED",
        "FILTERED",
        "BAD_REQUEST",
        "TOO_LONG",
        "NO_MODEL",
        "LOST",
        "RETURNED",
        "EXPIRED",
        "MISSED",
    ]
    """what came of it: UNREACHABLE, RETURNED, EXPIRED and MISSED say that nothing was sent; LOST, that nobody knows"""
    provider: str
    """the provider by its name in the settings"""
    model: str
    """the model that answered, as the provider names it; if none answered, the model that was asked"""
    text: str
    """the answer's text; empty where there is none"""
    tool_calls: tuple[Mapping[str, str], ...]
    """tools that the model calls; arguments are JSON"""
    embeddings: tuple[bytes, ...]
    """EMBEDDING only: a vector for each input, of float32 in little endian"""
    input_tokens: int
    """tokens of the prompt that no cache of the provider served; no token is in two classes"""
    cache_read_tokens: int
    """tokens of the prompt that the provider read from its cache"""
    cache_write_tokens: int
    """tokens of the prompt that the provider wrote to its cache"""
    output_tokens: int
    """tokens of the answer, with those of reasoning"""
    counted: bool
    """whether the provider counted the tokens; if not, the counts are 0 and the cost is not known"""
    source: Literal["UNKNOWN", "PROVIDER", "CACHE", "COALESCED"]
    """who gave the answer: the provider, a cache, or an equal call that was in flight"""
    semantic: bool
    """CACHE only: whether the answer was found by its meaning"""
    total_us: int
    """µs from sending to the end; 0 where nothing was sent"""
    timeout: Literal["UNKNOWN", "CONNECT", "FIRST_TOKEN", "IDLE", "TOTAL"] | None = None
    """TIMED_OUT only: which of the four waits ended the call"""
    http_status: int | None = None
    """HTTP status of the provider's answer; null if no answer came"""
    retry_after_ms: int | None = None
    """how long the provider asks to wait, ms; null where it does not say"""
    error: str | None = None
    """what the provider or the connection said, without any key; null where nothing failed"""
    key_id: str | None = None
    """id of the key; null where the provider needs none"""
    provider_request_id: str | None = None
    """the provider's own id of the call"""
    finish: Literal["UNKNOWN", "STOP", "LENGTH", "TOOL_CALLS", "FILTER"] | None = None
    """why the answer ended; null if the provider did not say, and the answer then counts as incomplete"""
    source_call_id: str | None = None
    """CACHE and COALESCED only: the call that first got the answer"""
    first_token_us: int | None = None
    """µs from sending to the first token; null where none came"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            call_id=record["call_id"],
            request_id=record["request_id"],
            attempt=record["attempt"],
            outcome=record["outcome"],
            timeout=record["timeout"],
            http_status=record["http_status"],
            retry_after_ms=record["retry_after_ms"],
            error=record["error"],
            provider=record["provider"],
            model=record["model"],
            key_id=record["key_id"],
            provider_request_id=record["provider_request_id"],
            text=record["text"],
            tool_calls=tuple(record["tool_calls"]),
            embeddings=tuple(record["embeddings"]),
            finish=record["finish"],
            input_tokens=record["input_tokens"],
            cache_read_tokens=record["cache_read_tokens"],
            cache_write_tokens=record["cache_write_tokens"],
            output_tokens=record["output_tokens"],
            counted=record["counted"],
            source=record["source"],
            source_call_id=record["source_call_id"],
            semantic=record["semantic"],
            first_token_us=record["first_token_us"],
            total_us=record["total_us"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "call_id": self.call_id,
            "request_id": self.request_id,
            "attempt": self.attempt,
            "outcome": self.outcome,
            "timeout": self.timeout,
            "http_status": self.http_status,
            "retry_after_ms": self.retry_after_ms,
            "error": self.error,
            "provider": self.provider,
            "model": self.model,
            "key_id": self.key_id,
            "provider_request_id": self.provider_request_id,
            "text": self.text,
            "tool_calls": list(self.tool_calls),
            "embeddings": list(self.embeddings),
            "finish": self.finish,
            "input_tokens": self.input_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            "counted": self.counted,
            "source": self.source,
            "source_call_id": self.source_call_id,
            "semantic": self.semantic,
            "first_token_us": self.first_token_us,
            "total_us": self.total_us,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.call_id) <= 256
            and 1 <= len(self.request_id) <= 256
            and self.attempt >= 1
            and (self.http_status is None or 100 <= self.http_status <= 599)
            and (self.retry_after_ms is None or self.retry_after_ms >= 0)
            and (self.error is None or len(self.error) <= 16384)
            and 1 <= len(self.provider) <= 256
            and 1 <= len(self.model) <= 256
            and (self.key_id is None or 1 <= len(self.key_id) <= 256)
            and (self.provider_request_id is None or len(self.provider_request_id) <= 256)
            and self.input_tokens >= 0
            and self.cache_read_tokens >= 0
            and self.cache_write_tokens >= 0
            and self.output_tokens >= 0
            and (self.source_call_id is None or 1 <= len(self.source_call_id) <= 256)
            and (self.first_token_us is None or self.first_token_us >= 0)
            and self.total_us >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiBreakerState(Event):
    """State of the AI agent: whether a model answers under a key."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiBreakerState"
    VERSION: ClassVar[int] = 1

    provider: str
    """the provider"""
    key_id: str
    """the key; empty for a provider that needs none"""
    model: str
    """the model"""
    failures: int
    """failures in a row"""
    opened: int
    """how often in a row the breaker has opened"""
    open_until: int
    """no call passes before this time, then one probe does; 0 while the breaker is closed"""
    probe: str | None = None
    """the call that tests whether the model answers again"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            provider=record["provider"],
            key_id=record["key_id"],
            model=record["model"],
            failures=record["failures"],
            opened=record["opened"],
            open_until=record["open_until"],
            probe=record["probe"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "key_id": self.key_id,
            "model": self.model,
            "failures": self.failures,
            "opened": self.opened,
            "open_until": self.open_until,
            "probe": self.probe,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AiBudgetState(Event):
    """State of the AI agent: what calls of one tenant in one month cost. spent + reserved + suspense is at most the budget."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiBudgetState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "spent": "limit",
        "reserved": "limit",
        "suspense": "limit",
    }

    tenant_id: str
    """the tenant"""
    ts_start: int
    """first moment of the month, in UTC"""
    currency: str
    """three letters of ISO 4217"""
    spent: Decimal
    """cost of settled calls"""
    reserved: Decimal
    """bounds of calls in flight"""
    suspense: Decimal
    """bounds of calls of which nobody knows the end"""
    told_percent: int
    """the largest share of the budget that an alert has reported, percent; 0 for none"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            ts_start=record["ts_start"],
            currency=record["currency"],
            spent=record["spent"],
            reserved=record["reserved"],
            suspense=record["suspense"],
            told_percent=record["told_percent"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "ts_start": self.ts_start,
            "currency": self.currency,
            "spent": self.spent,
            "reserved": self.reserved,
            "suspense": self.suspense,
            "told_percent": self.told_percent,
        }

    def in_range(self) -> bool:
        return (
            0 <= self.spent <= 9999999999999999999999999999
            and 0 <= self.reserved <= 9999999999999999999999999999
            and 0 <= self.suspense <= 9999999999999999999999999999
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiCall(Event):
    """An order to call a provider once. The caller performs it as it stands and reports one attempt."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiCall"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "call_id": "name",
        "request_id": "name",
        "attempt": "ordinal",
        "request_type": "name",
        "reply_key": "key",
        "provider": "name",
        "provider_revision": "revision",
        "adapter": "name",
        "base_url": "words",
        "model": "name",
        "key_id": "name",
        "body": "any",
        "digest": "name",
        "max_tokens": "tokens",
        "input_bound": "count",
        "concurrent": "count",
        "reserved": "limit",
        "currency": "name",
        "price_id": "name",
        "not_before": "later",
        "deadline": "later",
        "connect_timeout_ms": "deadline",
        "first_token_timeout_ms": "deadline",
        "idle_timeout_ms": "deadline",
        "total_timeout_ms": "deadline",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    call_id: str
    """derived from the request and the number of the attempt; the caller sends no call_id twice"""
    request_id: str
    """the request"""
    attempt: int
    """number of the call among those of its request, from 1 on"""
    kind: Literal["UNKNOWN", "CHAT", "COMPLETION", "EMBEDDING"]
    """what is asked for"""
    request_type: str
    """what the answer is for"""
    reply_key: str
    """who waits for the response"""
    provider: str
    """the provider by its name in the settings"""
    provider_revision: int
    """revision of the settings that the provider is called by"""
    adapter: str
    """how the provider is spoken to: paper, openai, anthropic, or a name of the entry point tradewind.ai.providers"""
    allow_private: bool
    """whether base_url may lead to a private address"""
    model: str
    """the model as the provider names it"""
    body: str
    """the request as JSON in our own form, which the adapter translates: messages, tools, max_tokens and the like, or inputs"""
    digest: str
    """32 hex digits of the whole canonical request without its model: what caches and shared calls know it by"""
    max_tokens: int
    """most tokens of the answer, as body says"""
    input_bound: int
    """most tokens that the prompt can have: the bytes of the prompt, and what tools and images add"""
    stream: Literal["UNKNOWN", "NONE", "LIVE", "SURE"]
    """whether tokens are shown while they come"""
    cache: Literal["UNKNOWN", "EXACT", "SEMANTIC", "OFF"]
    """which answers to earlier requests may be given"""
    cache_only: bool
    """whether only the cache may answer"""
    probe: bool
    """whether the call tests a key or model whose breaker is open"""
    concurrent: int
    """how many calls of the key may be in flight at once, over all tenants; 0 for any number"""
    reserved: Decimal
    """most that the call can cost, in currency"""
    currency: str
    """three letters of ISO 4217"""
    price_id: str
    """the price that reserved was computed with"""
    not_before: int
    """clock time before which the call is not sent"""
    deadline: int
    """clock time after which the caller does not send the call. A call in flight ends at this time"""
    connect_timeout_ms: int
    """longest wait for a connection, ms"""
    first_token_timeout_ms: int
    """longest wait for the first token, ms"""
    idle_timeout_ms: int
    """longest wait between two tokens, ms"""
    total_timeout_ms: int
    """longest time of the whole call, ms"""
    base_url: str | None = None
    """address of the provider; null for the adapter's own"""
    key_id: str | None = None
    """id of the key, which the caller looks up; null where the provider needs none"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            call_id=record["call_id"],
            request_id=record["request_id"],
            attempt=record["attempt"],
            kind=record["kind"],
            request_type=record["request_type"],
            reply_key=record["reply_key"],
            provider=record["provider"],
            provider_revision=record["provider_revision"],
            adapter=record["adapter"],
            base_url=record["base_url"],
            allow_private=record["allow_private"],
            model=record["model"],
            key_id=record["key_id"],
            body=record["body"],
            digest=record["digest"],
            max_tokens=record["max_tokens"],
            input_bound=record["input_bound"],
            stream=record["stream"],
            cache=record["cache"],
            cache_only=record["cache_only"],
            probe=record["probe"],
            concurrent=record["concurrent"],
            reserved=record["reserved"],
            currency=record["currency"],
            price_id=record["price_id"],
            not_before=record["not_before"],
            deadline=record["deadline"],
            connect_timeout_ms=record["connect_timeout_ms"],
            first_token_timeout_ms=record["first_token_timeout_ms"],
            idle_timeout_ms=record["idle_timeout_ms"],
            total_timeout_ms=record["total_timeout_ms"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "call_id": self.call_id,
            "request_id": self.request_id,
            "attempt": self.attempt,
            "kind": self.kind,
            "request_type": self.request_type,
            "reply_key": self.reply_key,
            "provider": self.provider,
            "provider_revision": self.provider_revision,
            "adapter": self.adapter,
            "base_url": self.base_url,
            "allow_private": self.allow_private,
            "model": self.model,
            "key_id": self.key_id,
            "body": self.body,
            "digest": self.digest,
            "max_tokens": self.max_tokens,
            "input_bound": self.input_bound,
            "stream": self.stream,
            "cache": self.cache,
            "cache_only": self.cache_only,
            "probe": self.probe,
            "concurrent": self.concurrent,
            "reserved": self.reserved,
            "currency": self.currency,
            "price_id": self.price_id,
            "not_before": self.not_before,
            "deadline": self.deadline,
            "connect_timeout_ms": self.connect_timeout_ms,
            "first_token_timeout_ms": self.first_token_timeout_ms,
            "idle_timeout_ms": self.idle_timeout_ms,
            "total_timeout_ms": self.total_timeout_ms,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.call_id) <= 256
            and 1 <= len(self.request_id) <= 256
            and self.attempt >= 1
            and 1 <= len(self.request_type) <= 256
            and 1 <= len(self.reply_key) <= 513
            and 1 <= len(self.provider) <= 256
            and self.provider_revision >= 1
            and 1 <= len(self.adapter) <= 256
            and (self.base_url is None or len(self.base_url) <= 65536)
            and 1 <= len(self.model) <= 256
            and (self.key_id is None or 1 <= len(self.key_id) <= 256)
            and 1 <= len(self.digest) <= 256
            and 1 <= self.max_tokens <= 10000000
            and self.input_bound >= 0
            and self.concurrent >= 0
            and 0 <= self.reserved <= 9999999999999999999999999999
            and 1 <= len(self.currency) <= 256
            and 1 <= len(self.price_id) <= 256
            and 0 <= self.not_before <= 253402214400000000
            and 0 <= self.deadline <= 253402214400000000
            and 1 <= self.connect_timeout_ms <= 3600000
            and 1 <= self.first_token_timeout_ms <= 3600000
            and 1 <= self.idle_timeout_ms <= 3600000
            and 1 <= self.total_timeout_ms <= 3600000
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiCallState(Event):
    """State of the AI agent: a call that is not settled."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiCallState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "input_per_million": "limit",
        "cache_read_per_million": "limit",
        "cache_write_per_million": "limit",
        "output_per_million": "limit",
        "per_call": "limit",
        "reserved": "limit",
    }

    call_id: str
    """the call"""
    request_id: str
    """its request"""
    tenant_id: str
    """who pays"""
    request_type: str
    """what the answer is for"""
    correlation_id: str
    """the first event of the chain"""
    provider: str
    """the provider"""
    model: str
    """the model"""
    attempt: int
    """number of the call among those of its request"""
    ts_called: int
    """when the agent decided on the call, which counts in the month of this time"""
    currency: str
    """of the price"""
    price_id: str
    """the price"""
    input_per_million: Decimal
    """of the price"""
    cache_read_per_million: Decimal
    """of the price"""
    cache_write_per_million: Decimal
    """of the price"""
    output_per_million: Decimal
    """of the price"""
    per_call: Decimal
    """of the price"""
    reserved: Decimal
    """most that the call can cost, in currency"""
    probe: bool
    """whether the call tests an open breaker"""
    suspended: bool
    """whether nobody knows the end of the call: reserved then stays in suspense"""
    key_id: str | None = None
    """id of the key; null where the provider needs none"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            call_id=record["call_id"],
            request_id=record["request_id"],
            tenant_id=record["tenant_id"],
            request_type=record["request_type"],
            correlation_id=record["correlation_id"],
            provider=record["provider"],
            model=record["model"],
            key_id=record["key_id"],
            attempt=record["attempt"],
            ts_called=record["ts_called"],
            currency=record["currency"],
            price_id=record["price_id"],
            input_per_million=record["input_per_million"],
            cache_read_per_million=record["cache_read_per_million"],
            cache_write_per_million=record["cache_write_per_million"],
            output_per_million=record["output_per_million"],
            per_call=record["per_call"],
            reserved=record["reserved"],
            probe=record["probe"],
            suspended=record["suspended"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "call_id": self.call_id,
            "request_id": self.request_id,
            "tenant_id": self.tenant_id,
            "request_type": self.request_type,
            "correlation_id": self.correlation_id,
            "provider": self.provider,
            "model": self.model,
            "key_id": self.key_id,
            "attempt": self.attempt,
            "ts_called": self.ts_called,
            "currency": self.currency,
            "price_id": self.price_id,
            "input_per_million": self.input_per_million,
            "cache_read_per_million": self.cache_read_per_million,
            "cache_write_per_million": self.cache_write_per_million,
            "output_per_million": self.output_per_million,
            "per_call": self.per_call,
            "reserved": self.reserved,
            "probe": self.probe,
            "suspended": self.suspended,
        }

    def in_range(self) -> bool:
        return (
            0 <= self.input_per_million <= 9999999999999999999999999999
            and 0 <= self.cache_read_per_million <= 9999999999999999999999999999
            and 0 <= self.cache_write_per_million <= 9999999999999999999999999999
            and 0 <= self.output_per_million <= 9999999999999999999999999999
            and 0 <= self.per_call <= 9999999999999999999999999999
            and 0 <= self.reserved <= 9999999999999999999999999999
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiHourState(Event):
    """State of the AI agent: what one provider has done in one hour, in one currency."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiHourState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "cost": "limit",
    }

    provider: str
    """the provider"""
    currency: str
    """currency of cost, three letters of ISO 4217"""
    ts_start: int
    """first moment of the hour"""
    calls: int
    """attempts that ended in the hour"""
    errors: int
    """attempts of the hour in which the provider failed"""
    cost: Decimal
    """cost of the calls that were settled in the hour, in currency"""
    told_cost: bool
    """whether an alert has reported the cost"""
    told_errors: bool
    """whether an alert has reported the errors"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            provider=record["provider"],
            currency=record["currency"],
            ts_start=record["ts_start"],
            calls=record["calls"],
            errors=record["errors"],
            cost=record["cost"],
            told_cost=record["told_cost"],
            told_errors=record["told_errors"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "currency": self.currency,
            "ts_start": self.ts_start,
            "calls": self.calls,
            "errors": self.errors,
            "cost": self.cost,
            "told_cost": self.told_cost,
            "told_errors": self.told_errors,
        }

    def in_range(self) -> bool:
        return 0 <= self.cost <= 9999999999999999999999999999


@dataclass(frozen=True, slots=True, kw_only=True)
class AiKeyState(Event):
    """State of the AI agent: how much of a key's limits is used, and whether the key works."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiKeyState"
    VERSION: ClassVar[int] = 1

    provider: str
    """the provider"""
    key_id: str
    """the key; empty for a provider that needs none"""
    requests_due: int
    """when all requests so far would have been sent at the limit's pace"""
    tokens_due: int
    """when all tokens so far would have been sent at the limit's pace"""
    open_until: int
    """no call before this time, because the key has no credit or is refused; 0 where it works"""
    failures: int
    """how often in a row the key did not work"""
    probe: str | None = None
    """the call that tests whether the key works again"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            provider=record["provider"],
            key_id=record["key_id"],
            requests_due=record["requests_due"],
            tokens_due=record["tokens_due"],
            open_until=record["open_until"],
            probe=record["probe"],
            failures=record["failures"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "key_id": self.key_id,
            "requests_due": self.requests_due,
            "tokens_due": self.tokens_due,
            "open_until": self.open_until,
            "probe": self.probe,
            "failures": self.failures,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AiLatencyState(Event):
    """State of the AI agent: how fast a model answers."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiLatencyState"
    VERSION: ClassVar[int] = 1

    provider: str
    """the provider"""
    model: str
    """the model"""
    peak_us: float
    """peak EWMA of the time of answers, µs: rises at once and falls slowly"""
    ts_seen: int
    """when the newest answer came"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            provider=record["provider"],
            model=record["model"],
            peak_us=record["peak_us"],
            ts_seen=record["ts_seen"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "model": self.model,
            "peak_us": self.peak_us,
            "ts_seen": self.ts_seen,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AiNowState(Event):
    """State of the AI agent: its time, which is the greatest ts_ingest of all that it has processed."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiNowState"
    VERSION: ClassVar[int] = 1

    now: int
    """the time"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            now=record["now"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "now": self.now,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AiOpenState(Event):
    """State of the AI agent: a request that has no response yet."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiOpenState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "cost": "limit",
        "suspense": "limit",
    }

    request_id: str
    """the request"""
    call_id: str
    """the call that the request waits for"""
    calls: int
    """calls of the request so far"""
    counted: int
    """calls that count against the route's limit: all except those that came back unsent"""
    tried: tuple[Mapping[str, bool | int | str], ...]
    """how often each model was called, and whether the request may call the model again"""
    context_tokens: int
    """largest context of a model that was too small, tokens; 0 if none was"""
    input_tokens: int
    """of all settled calls"""
    cache_read_tokens: int
    """of all settled calls"""
    cache_write_tokens: int
    """of all settled calls"""
    output_tokens: int
    """of all settled calls"""
    cost: Decimal
    """of all settled calls, in the tenant's currency"""
    suspense: Decimal
    """bound of all calls whose end is not known, in the tenant's currency"""
    failures: str
    """what came of the calls so far, in words"""
    mismatches: int = 0
    """answers so far that did not match json_schema"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            request_id=record["request_id"],
            call_id=record["call_id"],
            calls=record["calls"],
            counted=record["counted"],
            tried=tuple(record["tried"]),
            context_tokens=record["context_tokens"],
            input_tokens=record["input_tokens"],
            cache_read_tokens=record["cache_read_tokens"],
            cache_write_tokens=record["cache_write_tokens"],
            output_tokens=record["output_tokens"],
            cost=record["cost"],
            suspense=record["suspense"],
            failures=record["failures"],
            mismatches=record["mismatches"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "request_id": self.request_id,
            "call_id": self.call_id,
            "calls": self.calls,
            "counted": self.counted,
            "tried": list(self.tried),
            "context_tokens": self.context_tokens,
            "input_tokens": self.input_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            "cost": self.cost,
            "suspense": self.suspense,
            "failures": self.failures,
            "mismatches": self.mismatches,
        }

    def in_range(self) -> bool:
        return 0 <= self.cost <= 9999999999999999999999999999 and 0 <= self.suspense <= 9999999999999999999999999999


@dataclass(frozen=True, slots=True, kw_only=True)
class AiPrice(Event):
    """What a model costs from a moment on, in the settings of one revision."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiPrice"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "revision": "revision",
        "part": "ordinal",
        "parts": "ordinal",
        "price_id": "name",
        "provider": "name",
        "model": "name",
        "currency": "name",
        "valid_from": "later",
        "input_per_million": "limit",
        "cache_read_per_million": "limit",
        "cache_write_per_million": "limit",
        "output_per_million": "limit",
        "per_call": "limit",
        "origin": "label",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    revision: int
    """revision of the settings as a whole: one above that which it was made from"""
    part: int
    """number of this record among those of its revision, from 1 on"""
    parts: int
    """how many records the revision has: the agent applies all of them at the last, or none"""
    active: bool
    """false takes the price out of use"""
    price_id: str
    """derived from all that the price says"""
    provider: str
    """the provider"""
    model: str
    """the model"""
    currency: str
    """three letters of ISO 4217"""
    valid_from: int
    """clock time from which the price holds, until the next price of the same model"""
    input_per_million: Decimal
    """price of a million input tokens, in currency; 0 is free"""
    cache_read_per_million: Decimal
    """price of a million tokens that the provider's cache served, in currency"""
    cache_write_per_million: Decimal
    """price of a million tokens that were written to the provider's cache, in currency"""
    output_per_million: Decimal
    """price of a million output tokens, in currency"""
    per_call: Decimal
    """price of each answered call, in currency"""
    origin: str
    """where the price comes from, such as genai-prices 0.0.71"""
    tenant_id: str | None = None
    """the tenant whose price this is, which takes precedence over the price for all; null for all tenants"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            revision=record["revision"],
            part=record["part"],
            parts=record["parts"],
            active=record["active"],
            price_id=record["price_id"],
            provider=record["provider"],
            model=record["model"],
            currency=record["currency"],
            valid_from=record["valid_from"],
            input_per_million=record["input_per_million"],
            cache_read_per_million=record["cache_read_per_million"],
            cache_write_per_million=record["cache_write_per_million"],
            output_per_million=record["output_per_million"],
            per_call=record["per_call"],
            origin=record["origin"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "revision": self.revision,
            "part": self.part,
            "parts": self.parts,
            "active": self.active,
            "price_id": self.price_id,
            "provider": self.provider,
            "model": self.model,
            "currency": self.currency,
            "valid_from": self.valid_from,
            "input_per_million": self.input_per_million,
            "cache_read_per_million": self.cache_read_per_million,
            "cache_write_per_million": self.cache_write_per_million,
            "output_per_million": self.output_per_million,
            "per_call": self.per_call,
            "origin": self.origin,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and self.revision >= 1
            and self.part >= 1
            and self.parts >= 1
            and 1 <= len(self.price_id) <= 256
            and 1 <= len(self.provider) <= 256
            and 1 <= len(self.model) <= 256
            and 1 <= len(self.currency) <= 256
            and 0 <= self.valid_from <= 253402214400000000
            and 0 <= self.input_per_million <= 9999999999999999999999999999
            and 0 <= self.cache_read_per_million <= 9999999999999999999999999999
            and 0 <= self.cache_write_per_million <= 9999999999999999999999999999
            and 0 <= self.output_per_million <= 9999999999999999999999999999
            and 0 <= self.per_call <= 9999999999999999999999999999
            and len(self.origin) <= 256
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiPricesState(Event):
    """State of the AI agent: what a model costs, and from when on."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiPricesState"
    VERSION: ClassVar[int] = 1

    provider: str
    """the provider"""
    model: str
    """the model"""
    prices: tuple[Mapping[str, Decimal | int | str], ...]
    """by valid_from, oldest first"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            provider=record["provider"],
            model=record["model"],
            prices=tuple(record["prices"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "model": self.model,
            "prices": list(self.prices),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AiProvider(Event):
    """A provider of models as it is from one revision of the settings on. It names keys, and never holds one."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiProvider"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "revision": "revision",
        "part": "ordinal",
        "parts": "ordinal",
        "name": "name",
        "adapter": "name",
        "base_url": "words",
        "connect_timeout_ms": "deadline",
        "first_token_timeout_ms": "deadline",
        "idle_timeout_ms": "deadline",
        "total_timeout_ms": "deadline",
        "max_attempts": "attempts",
        "backoff_ms": "count",
        "backoff_factor": "factor",
        "alert_cost_per_hour": "limit",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    revision: int
    """revision of the settings as a whole: one above that which it was made from"""
    part: int
    """number of this record among those of its revision, from 1 on"""
    parts: int
    """how many records the revision has: the agent applies all of them at the last, or none"""
    active: bool
    """false takes the provider out of use"""
    name: str
    """name of the provider"""
    adapter: str
    """how it is spoken to: paper, openai, anthropic, or a name of the entry point tradewind.ai.providers"""
    allow_private: bool
    """whether base_url may lead to a private address"""
    keys: tuple[Mapping[str, int | str | None], ...]
    """ids of its keys with their limits, 0 for none; a key of a tenant serves that tenant alone. A provider without a key has the limits of one called as the provider, with an empty key_id"""
    models: tuple[Mapping[str, bool | int | str], ...]
    """what its models can do; context_tokens holds prompt and answer"""
    connect_timeout_ms: int
    """longest wait for a connection, ms"""
    first_token_timeout_ms: int
    """longest wait for the first token, ms"""
    idle_timeout_ms: int
    """longest wait between two tokens, ms"""
    total_timeout_ms: int
    """longest time of a whole call, ms"""
    max_attempts: int
    """how often one request may call the provider"""
    backoff_ms: int
    """wait before the second call if the provider names no time, ms"""
    backoff_factor: float
    """factor by which each further wait is longer"""
    alert_cost_per_hour: Decimal
    """an alert comes if the provider costs more in an hour; 0 for no alert"""
    tenant_id: str | None = None
    """the tenant that the provider belongs to; null for all tenants"""
    base_url: str | None = None
    """address of the provider; null for the adapter's own"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            revision=record["revision"],
            part=record["part"],
            parts=record["parts"],
            active=record["active"],
            name=record["name"],
            adapter=record["adapter"],
            base_url=record["base_url"],
            allow_private=record["allow_private"],
            keys=tuple(record["keys"]),
            models=tuple(record["models"]),
            connect_timeout_ms=record["connect_timeout_ms"],
            first_token_timeout_ms=record["first_token_timeout_ms"],
            idle_timeout_ms=record["idle_timeout_ms"],
            total_timeout_ms=record["total_timeout_ms"],
            max_attempts=record["max_attempts"],
            backoff_ms=record["backoff_ms"],
            backoff_factor=record["backoff_factor"],
            alert_cost_per_hour=record["alert_cost_per_hour"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "revision": self.revision,
            "part": self.part,
            "parts": self.parts,
            "active": self.active,
            "name": self.name,
            "adapter": self.adapter,
            "base_url": self.base_url,
            "allow_private": self.allow_private,
            "keys": list(self.keys),
            "models": list(self.models),
            "connect_timeout_ms": self.connect_timeout_ms,
            "first_token_timeout_ms": self.first_token_timeout_ms,
            "idle_timeout_ms": self.idle_timeout_ms,
            "total_timeout_ms": self.total_timeout_ms,
            "max_attempts": self.max_attempts,
            "backoff_ms": self.backoff_ms,
            "backoff_factor": self.backoff_factor,
            "alert_cost_per_hour": self.alert_cost_per_hour,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and self.revision >= 1
            and self.part >= 1
            and self.parts >= 1
            and 1 <= len(self.name) <= 256
            and 1 <= len(self.adapter) <= 256
            and (self.base_url is None or len(self.base_url) <= 65536)
            and 1 <= self.connect_timeout_ms <= 3600000
            and 1 <= self.first_token_timeout_ms <= 3600000
            and 1 <= self.idle_timeout_ms <= 3600000
            and 1 <= self.total_timeout_ms <= 3600000
            and 1 <= self.max_attempts <= 20
            and self.backoff_ms >= 0
            and 1.0 <= self.backoff_factor <= 10.0
            and 0 <= self.alert_cost_per_hour <= 9999999999999999999999999999
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiRequest(Event):
    """A question to a model; its event_id is the id of the request, and it gets exactly one response."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiRequest"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "request_type": "name",
        "prompt": "name",
        "prompt_digest": "name",
        "tool_choice": "name",
        "json_schema": "any",
        "max_tokens": "tokens",
        "temperature": "temperature",
        "top_p": "share",
        "seed": "any",
        "provider": "name",
        "model": "name",
        "reply_key": "key",
        "deadline_ms": "deadline",
        "valid_until": "later",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant that asks and pays"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    kind: Literal["UNKNOWN", "CHAT", "COMPLETION", "EMBEDDING"]
    """what is asked for"""
    request_type: str
    """what the answer is for, such as trading_signal: it names the route"""
    messages: tuple[Mapping[str, str | tuple[Mapping[str, str], ...] | tuple[str, ...] | None], ...]
    """the conversation, oldest first; images are data URLs or https URLs; empty where a prompt or inputs are given"""
    prompt_values: tuple[Mapping[str, str], ...]
    """values of the prompt's places, by name"""
    inputs: tuple[str, ...]
    """EMBEDDING only: the texts; each gets a vector"""
    tools: tuple[Mapping[str, str], ...]
    """tools that the model may call; parameters are a JSON Schema"""
    max_tokens: int
    """most tokens of the answer; it is always sent, for it bounds the cost"""
    stop: tuple[str, ...]
    """texts that end the answer"""
    stream: Literal["UNKNOWN", "NONE", "LIVE", "SURE"]
    """whether tokens are shown at once (LIVE), after the attempt is whole (SURE), or not (NONE)"""
    cache: Literal["UNKNOWN", "EXACT", "SEMANTIC", "OFF"]
    """which answers to earlier requests may be given"""
    makes_orders: bool
    """whether orders may follow from the answer: such a request never takes an answer by its meaning"""
    reply_key: str
    """who waits for the response: it chooses the partition of ai.responses"""
    deadline_ms: int
    """how long after ts_ingest the answer is of use, ms"""
    prompt: str | None = None
    """a prompt file as name@version, in place of messages"""
    prompt_digest: str | None = None
    """32 hex digits of the prompt as the sender knows it; the agent refuses another text under the same name; null takes what the agent has"""
    tool_choice: str | None = None
    """auto, none, required, or the name of a tool; null leaves it to the provider"""
    json_schema: str | None = None
    """a JSON Schema that the answer must match; null asks for free text"""
    temperature: float | None = None
    """of sampling; null leaves it to the provider"""
    top_p: float | None = None
    """share of probability that sampling takes from; null leaves it to the provider"""
    seed: int | None = None
    """of sampling, where a provider takes one"""
    provider: str | None = None
    """asks this provider only; null leaves it to the route"""
    model: str | None = None
    """asks this model only; null leaves it to the route"""
    valid_until: int | None = None
    """event time after which the answer is of no use; null where it stays of use"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            kind=record["kind"],
            request_type=record["request_type"],
            messages=tuple(record["messages"]),
            prompt=record["prompt"],
            prompt_values=tuple(record["prompt_values"]),
            prompt_digest=record["prompt_digest"],
            inputs=tuple(record["inputs"]),
            tools=tuple(record["tools"]),
            tool_choice=record["tool_choice"],
            json_schema=record["json_schema"],
            max_tokens=record["max_tokens"],
            temperature=record["temperature"],
            top_p=record["top_p"],
            seed=record["seed"],
            stop=tuple(record["stop"]),
            provider=record["provider"],
            model=record["model"],
            stream=record["stream"],
            cache=record["cache"],
            makes_orders=record["makes_orders"],
            reply_key=record["reply_key"],
            deadline_ms=record["deadline_ms"],
            valid_until=record["valid_until"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "kind": self.kind,
            "request_type": self.request_type,
            "messages": list(self.messages),
            "prompt": self.prompt,
            "prompt_values": list(self.prompt_values),
            "prompt_digest": self.prompt_digest,
            "inputs": list(self.inputs),
            "tools": list(self.tools),
            "tool_choice": self.tool_choice,
            "json_schema": self.json_schema,
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "stop": list(self.stop),
            "provider": self.provider,
            "model": self.model,
            "stream": self.stream,
            "cache": self.cache,
            "makes_orders": self.makes_orders,
            "reply_key": self.reply_key,
            "deadline_ms": self.deadline_ms,
            "valid_until": self.valid_until,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.request_type) <= 256
            and (self.prompt is None or 1 <= len(self.prompt) <= 256)
            and (self.prompt_digest is None or 1 <= len(self.prompt_digest) <= 256)
            and (self.tool_choice is None or 1 <= len(self.tool_choice) <= 256)
            and 1 <= self.max_tokens <= 10000000
            and (self.temperature is None or 0.0 <= self.temperature <= 2.0)
            and (self.top_p is None or 0.0 <= self.top_p <= 1.0)
            and (self.provider is None or 1 <= len(self.provider) <= 256)
            and (self.model is None or 1 <= len(self.model) <= 256)
            and 1 <= len(self.reply_key) <= 513
            and 1 <= self.deadline_ms <= 3600000
            and (self.valid_until is None or 0 <= self.valid_until <= 253402214400000000)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiResponse(Event):
    """The one response to a request."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiResponse"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "request_id": "name",
        "request_type": "name",
        "reply_key": "key",
        "reason": "note",
        "retry_after_ms": "count",
        "text": "any",
        "json": "any",
        "provider": "name",
        "model": "name",
        "call_id": "name",
        "attempts": "count",
        "input_tokens": "count",
        "cache_read_tokens": "count",
        "cache_write_tokens": "count",
        "output_tokens": "count",
        "cost": "limit",
        "suspense": "limit",
        "currency": "label",
        "text_sha256": "name",
        "latency_us": "count",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    tenant_id: str
    """the tenant"""
    ts_event: int
    """the request's ts_event plus latency_us"""
    ts_ingest: int
    """when the record that ended the request entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    request_id: str
    """the request"""
    kind: Literal["UNKNOWN", "CHAT", "COMPLETION", "EMBEDDING"]
    """what was asked for"""
    request_type: str
    """what the answer is for"""
    reply_key: str
    """who waits for the response"""
    status: Literal["UNKNOWN", "ANSWERED", "REFUSED", "FAILED", "INVALID", "EXPIRED"]
    """REFUSED before any call; FAILED after the last one; INVALID where no answer matched json_schema"""
    reason: str
    """code in words, and what to do; empty where there is an answer"""
    text: str
    """the answer's text; empty where there is none"""
    tool_calls: tuple[Mapping[str, str], ...]
    """tools that the model calls; arguments are JSON"""
    embeddings: tuple[bytes, ...]
    """EMBEDDING only: a vector for each input, of float32 in little endian"""
    attempts: int
    """calls of the request"""
    input_tokens: int
    """of all attempts: tokens of the prompt that no cache of the provider served; no token is in two classes"""
    cache_read_tokens: int
    """of all attempts: tokens of the prompt that the provider read from its cache"""
    cache_write_tokens: int
    """of all attempts: tokens of the prompt that the provider wrote to its cache"""
    output_tokens: int
    """of all attempts: tokens of the answer, with those of reasoning"""
    cost: Decimal
    """cost of all attempts that are settled by now, in currency"""
    suspense: Decimal
    """most that attempts with an unknown end may cost besides, in currency"""
    currency: str
    """three letters of ISO 4217; empty where nothing could cost anything"""
    text_sha256: str
    """SHA-256 of text in UTF-8, 64 hex digits"""
    latency_us: int
    """µs from the request's ts_ingest to that of the record that ended it"""
    makes_orders: bool
    """whether orders may follow from the answer, as the request says"""
    code: (
        Literal[
            "UNKNOWN",
            "TOO_LARGE",
            "NO_ROUTE",
            "UNPRICED",
            "BUDGET",
            "RATE",
            "EXPIRED",
            "UNKNOWN_TENANT",
            "TENANT_SUSPENDED",
            "TENANT_CLOSED",
            "UNKNOWN_PROMPT",
            "BAD_REQUEST",
            "FILTERED",
            "TOO_LONG",
            "EXHAUSTED",
            "SCHEMA",
        ]
        | None
    ) = None
    """why there is no answer; null where there is one"""
    retry_after_ms: int | None = None
    """RATE only: when the same request may be admitted, ms"""
    json: str | None = None
    """the answer as JSON that matches json_schema; null where none was asked for"""
    finish: Literal["UNKNOWN", "STOP", "LENGTH", "TOOL_CALLS", "FILTER"] | None = None
    """why the answer ended; null where there is none"""
    provider: str | None = None
    """the provider that answered; null if none did"""
    model: str | None = None
    """the model that answered; null where none did"""
    call_id: str | None = None
    """the call that was answered; null where none was"""
    source: Literal["UNKNOWN", "PROVIDER", "CACHE", "COALESCED"] | None = None
    """who gave the answer; null where there is none"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            request_id=record["request_id"],
            kind=record["kind"],
            request_type=record["request_type"],
            reply_key=record["reply_key"],
            status=record["status"],
            code=record["code"],
            reason=record["reason"],
            retry_after_ms=record["retry_after_ms"],
            text=record["text"],
            json=record["json"],
            tool_calls=tuple(record["tool_calls"]),
            embeddings=tuple(record["embeddings"]),
            finish=record["finish"],
            provider=record["provider"],
            model=record["model"],
            call_id=record["call_id"],
            attempts=record["attempts"],
            input_tokens=record["input_tokens"],
            cache_read_tokens=record["cache_read_tokens"],
            cache_write_tokens=record["cache_write_tokens"],
            output_tokens=record["output_tokens"],
            cost=record["cost"],
            suspense=record["suspense"],
            currency=record["currency"],
            source=record["source"],
            text_sha256=record["text_sha256"],
            latency_us=record["latency_us"],
            makes_orders=record["makes_orders"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "request_id": self.request_id,
            "kind": self.kind,
            "request_type": self.request_type,
            "reply_key": self.reply_key,
            "status": self.status,
            "code": self.code,
            "reason": self.reason,
            "retry_after_ms": self.retry_after_ms,
            "text": self.text,
            "json": self.json,
            "tool_calls": list(self.tool_calls),
            "embeddings": list(self.embeddings),
            "finish": self.finish,
            "provider": self.provider,
            "model": self.model,
            "call_id": self.call_id,
            "attempts": self.attempts,
            "input_tokens": self.input_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "output_tokens": self.output_tokens,
            "cost": self.cost,
            "suspense": self.suspense,
            "currency": self.currency,
            "source": self.source,
            "text_sha256": self.text_sha256,
            "latency_us": self.latency_us,
            "makes_orders": self.makes_orders,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and 1 <= len(self.tenant_id) <= 256
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and 1 <= len(self.request_id) <= 256
            and 1 <= len(self.request_type) <= 256
            and 1 <= len(self.reply_key) <= 513
            and len(self.reason) <= 16384
            and (self.retry_after_ms is None or self.retry_after_ms >= 0)
            and (self.provider is None or 1 <= len(self.provider) <= 256)
            and (self.model is None or 1 <= len(self.model) <= 256)
            and (self.call_id is None or 1 <= len(self.call_id) <= 256)
            and self.attempts >= 0
            and self.input_tokens >= 0
            and self.cache_read_tokens >= 0
            and self.cache_write_tokens >= 0
            and self.output_tokens >= 0
            and 0 <= self.cost <= 9999999999999999999999999999
            and 0 <= self.suspense <= 9999999999999999999999999999
            and len(self.currency) <= 256
            and 1 <= len(self.text_sha256) <= 256
            and self.latency_us >= 0
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiRoute(Event):
    """Which models answer one type of request, from one revision of the settings on."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiRoute"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "event_id": "name",
        "tenant_id": "name",
        "ts_event": "later",
        "ts_ingest": "later",
        "correlation_id": "label",
        "causation_id": "label",
        "revision": "revision",
        "part": "ordinal",
        "parts": "ordinal",
        "request_type": "name",
        "max_attempts": "attempts",
    }

    event_id: str
    """32 hex digits; derived from what caused the event, so that processing again gives the same id"""
    ts_event: int
    """event time: the time at the source of the event"""
    ts_ingest: int
    """when the record at the origin of the chain entered Tradewind"""
    correlation_id: str
    """the first event of the chain"""
    causation_id: str
    """the event that caused this one directly"""
    revision: int
    """revision of the settings as a whole: one above that which it was made from"""
    part: int
    """number of this record among those of its revision, from 1 on"""
    parts: int
    """how many records the revision has: the agent applies all of them at the last, or none"""
    active: bool
    """false takes the route out of use"""
    request_type: str
    """the type of request; * for those that have no route of their own"""
    strategy: Literal["UNKNOWN", "PRIORITY", "ROUND_ROBIN", "WEIGHT", "LATENCY", "COST"]
    """which candidate is asked first; the others follow in the same order"""
    candidates: tuple[Mapping[str, int | str], ...]
    """models by priority; weight is of WEIGHT alone"""
    max_attempts: int
    """how many calls a request may take in all"""
    tenant_id: str | None = None
    """the tenant that the route belongs to; null for all tenants"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            event_id=record["event_id"],
            tenant_id=record["tenant_id"],
            ts_event=record["ts_event"],
            ts_ingest=record["ts_ingest"],
            correlation_id=record["correlation_id"],
            causation_id=record["causation_id"],
            revision=record["revision"],
            part=record["part"],
            parts=record["parts"],
            active=record["active"],
            request_type=record["request_type"],
            strategy=record["strategy"],
            candidates=tuple(record["candidates"]),
            max_attempts=record["max_attempts"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "tenant_id": self.tenant_id,
            "ts_event": self.ts_event,
            "ts_ingest": self.ts_ingest,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "revision": self.revision,
            "part": self.part,
            "parts": self.parts,
            "active": self.active,
            "request_type": self.request_type,
            "strategy": self.strategy,
            "candidates": list(self.candidates),
            "max_attempts": self.max_attempts,
        }

    def in_range(self) -> bool:
        return (
            1 <= len(self.event_id) <= 256
            and (self.tenant_id is None or 1 <= len(self.tenant_id) <= 256)
            and 0 <= self.ts_event <= 253402214400000000
            and 0 <= self.ts_ingest <= 253402214400000000
            and len(self.correlation_id) <= 256
            and len(self.causation_id) <= 256
            and self.revision >= 1
            and self.part >= 1
            and self.parts >= 1
            and 1 <= len(self.request_type) <= 256
            and 1 <= self.max_attempts <= 20
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AiSettingsState(Event):
    """State of the AI agent: which settings are in force."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiSettingsState"
    VERSION: ClassVar[int] = 1

    revision: int
    """revision of the settings; 0 before the first"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            revision=record["revision"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "revision": self.revision,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AiTenantState(Event):
    """State of the AI agent: the fields of one tenant that the agent reads."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiTenantState"
    VERSION: ClassVar[int] = 1
    RANGES: ClassVar[Mapping[str, str]] = {
        "budget_per_month": "limit",
    }

    tenant_id: str
    """the tenant"""
    revision: int
    """revision of the tenant"""
    status: Literal["UNKNOWN", "ACTIVE", "SUSPENDED", "CLOSED"]
    """only an active tenant may ask"""
    currency: str
    """currency of the tenant's budget, three letters of ISO 4217"""
    requests_per_hour: int
    """most requests that the agent admits in an hour"""
    requests_per_day: int
    """most requests that the agent admits in a day of UTC"""
    budget_per_month: Decimal
    """most that requests may cost in a month of UTC, in currency"""
    routes: tuple[Mapping[str, str], ...]
    """the tenant's own routes, which go before all others"""
    quotas: tuple[Mapping[str, int | str], ...] = ()
    """tokens that the tenant may use in a month of UTC, by meter and sorted by it"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            tenant_id=record["tenant_id"],
            revision=record["revision"],
            status=record["status"],
            currency=record["currency"],
            requests_per_hour=record["requests_per_hour"],
            requests_per_day=record["requests_per_day"],
            budget_per_month=record["budget_per_month"],
            routes=tuple(record["routes"]),
            quotas=tuple(record["quotas"]),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "tenant_id": self.tenant_id,
            "revision": self.revision,
            "status": self.status,
            "currency": self.currency,
            "requests_per_hour": self.requests_per_hour,
            "requests_per_day": self.requests_per_day,
            "budget_per_month": self.budget_per_month,
            "routes": list(self.routes),
            "quotas": list(self.quotas),
        }

    def in_range(self) -> bool:
        return 0 <= self.budget_per_month <= 9999999999999999999999999999


@dataclass(frozen=True, slots=True, kw_only=True)
class AiTurnState(Event):
    """State of the AI agent: how often a route was taken."""

    SCHEMA: ClassVar[str] = "tradewind.ai.AiTurnState"
    VERSION: ClassVar[int] = 1

    turn: int
    """requests that have taken the route so far"""

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Self:
        return cls(
            turn=record["turn"],
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "turn": self.turn,
        }
