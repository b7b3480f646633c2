"""PostgreSQL tables of the AI domain: how each request ended, what came of each call, and explanations of signals.

Only the explanations are content. The keys of tenants stand here too, sealed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

from tradewind.connectors.postgres.connection import Connection
from tradewind.connectors.postgres.table import Domain, EventTable, Migration
from tradewind.connectors.sinks.sink import Batch
from tradewind.processors.batch import rows_of
from tradewind.processors.signals.questions import EXPLANATION
from tradewind.schemas.ai import AiResponse
from tradewind.topics import AI_ATTEMPTS, AI_RESPONSES

CREATE = """
CREATE TABLE ai_requests (
    event_id           text COLLATE "C" PRIMARY KEY,
    tenant_id          text NOT NULL,
    ts_event           timestamptz NOT NULL,
    ts_ingest          timestamptz NOT NULL,
    correlation_id     text NOT NULL,
    causation_id       text NOT NULL,
    request_id         text COLLATE "C" NOT NULL,
    kind               text NOT NULL,
    request_type       text NOT NULL,
    reply_key          text NOT NULL,
    status             text NOT NULL,
    code               text,
    reason             text NOT NULL,
    retry_after_ms     bigint,
    finish             text,
    provider           text,
    model              text,
    call_id            text,
    attempts           bigint NOT NULL,
    input_tokens       bigint NOT NULL,
    cache_read_tokens  bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    output_tokens      bigint NOT NULL,
    cost               numeric(38, 10) NOT NULL,
    suspense           numeric(38, 10) NOT NULL,
    currency           text NOT NULL,
    source             text,
    text_sha256        text NOT NULL,
    latency_us         bigint NOT NULL,
    makes_orders       boolean NOT NULL
);
CREATE INDEX ai_requests_by_time ON ai_requests (tenant_id, ts_ingest);
CREATE INDEX ai_requests_by_request ON ai_requests (request_id);
COMMENT ON TABLE ai_requests IS 'How each AI request ended. Questions and answers stay on the topics.';
COMMENT ON COLUMN ai_requests.cost IS 'Of the attempts that were settled when the response was sent.';

CREATE TABLE ai_attempts (
    event_id            text COLLATE "C" PRIMARY KEY,
    tenant_id           text NOT NULL,
    ts_event            timestamptz NOT NULL,
    ts_ingest           timestamptz NOT NULL,
    correlation_id      text NOT NULL,
    causation_id        text NOT NULL,
    call_id             text COLLATE "C" NOT NULL,
    request_id          text COLLATE "C" NOT NULL,
    attempt             bigint NOT NULL,
    outcome             text NOT NULL,
    timeout             text,
    http_status         bigint,
    retry_after_ms      bigint,
    error               text,
    provider            text NOT NULL,
    model               text NOT NULL,
    key_id              text,
    provider_request_id text,
    finish              text,
    input_tokens        bigint NOT NULL,
    cache_read_tokens   bigint NOT NULL,
    cache_write_tokens  bigint NOT NULL,
    output_tokens       bigint NOT NULL,
    counted             boolean NOT NULL,
    source              text NOT NULL,
    source_call_id      text,
    semantic            boolean NOT NULL,
    first_token_us      bigint,
    total_us            bigint NOT NULL
);
CREATE INDEX ai_attempts_by_time ON ai_attempts (tenant_id, ts_ingest);
CREATE INDEX ai_attempts_by_request ON ai_attempts (request_id);
COMMENT ON TABLE ai_attempts IS 'What came of each call. A LOST call may have another row, for its late answer.';
COMMENT ON COLUMN ai_attempts.counted IS 'Whether the provider told the tokens. Otherwise nobody knows the cost.';
"""

KEYS = """
CREATE TABLE ai_keys (
    tenant_id text COLLATE "C" NOT NULL,
    key_id    text NOT NULL,
    master_id text NOT NULL,
    nonce     bytea NOT NULL,
    box       bytea NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX ai_keys_by_id ON ai_keys (tenant_id, lower(key_id));
COMMENT ON TABLE ai_keys IS 'Keys of providers, each under a seal that only the master key of the settings opens.';
COMMENT ON COLUMN ai_keys.tenant_id IS 'Whose calls may use the key; empty for all tenants.';
COMMENT ON COLUMN ai_keys.box IS 'AES-256-GCM, bound to the tenant and the id.';
"""
EXPLAINED = """
CREATE TABLE signal_explanations (
    signal_id      text COLLATE "C" PRIMARY KEY,
    request_id     text COLLATE "C" NOT NULL,
    tenant_id      text NOT NULL,
    ts_event       timestamptz NOT NULL,
    ts_ingest      timestamptz NOT NULL,
    status         text NOT NULL,
    explanation    text NOT NULL,
    provider       text,
    model          text
);
CREATE INDEX signal_explanations_by_time ON signal_explanations (ts_ingest);
COMMENT ON TABLE signal_explanations IS 'What a model said of a signal; order_requests.signal_id names the same one.';
COMMENT ON COLUMN signal_explanations.explanation IS 'Where there is no answer: why.';
"""
EXPLAIN = """
INSERT INTO signal_explanations
    (signal_id, request_id, tenant_id, ts_event, ts_ingest, status, explanation, provider, model)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
"""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def keep_explanations(connection: Connection, batch: Batch, topic_id: str | None) -> None:  # noqa: ARG001
    """Keep the explanations among the responses of a batch."""
    if batch.data is None:
        return
    responses = cast("Sequence[AiResponse]", rows_of(batch.data).events)
    found = [_explained(one) for one in responses if one.reply_key.startswith(EXPLANATION)]
    if found:
        await connection.executemany(EXPLAIN, found)


def _explained(response: AiResponse) -> tuple[object, ...]:
    times = (EPOCH + timedelta(microseconds=ts) for ts in (response.ts_event, response.ts_ingest))
    said = response.text if response.status == "ANSWERED" else response.reason
    return (
        response.reply_key.removeprefix(EXPLANATION),
        response.request_id,
        response.tenant_id,
        *times,
        response.status,
        said.replace("\0", ""),  # which PostgreSQL keeps in no text
        response.provider,
        response.model,
    )


AI = Domain(
    "ai",
    tables=(
        EventTable(
            AI_RESPONSES,
            "ai_requests",
            omits=("text", "json", "tool_calls", "embeddings"),
            also=keep_explanations,
        ),
        EventTable(AI_ATTEMPTS, "ai_attempts", omits=("text", "tool_calls", "embeddings")),
    ),
    migrations=(
        Migration("requests and attempts", CREATE),
        Migration("keys", KEYS),
        Migration("explanations of signals", EXPLAINED),
    ),
)
