"""Queries of how calls of models and requests have ended, in PostgreSQL."""

from __future__ import annotations

from typing import Final

ENDED: Final = """
SELECT provider, model, coalesce(key_id, '') AS key_id, outcome, count(*) AS calls, max(ts_event) AS last,
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY total_us) AS took_us
FROM ai_attempts WHERE source = 'PROVIDER' AND ts_ingest > now() - $1 * interval '1 hour'
    AND ($2::text IS NULL OR tenant_id = $2)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""
"""Of so many hours: calls of a tenant, or of all, by model, key and outcome."""
MOST_CALLS: Final = 5_000
"""That breakers are made of: newest first, of the last two hours. A breaker is open for an hour at the most."""
LATELY: Final = """
SELECT call_id, provider, model, coalesce(key_id, '') AS key_id, outcome, ts_ingest, total_us
FROM ai_attempts WHERE source = 'PROVIDER' AND ts_ingest > now() - interval '2 hours'
ORDER BY ts_ingest DESC, call_id LIMIT $1
"""
MOST_COSTS: Final = 1_000
COSTS: Final = """
SELECT tenant_id, coalesce(provider, '') AS provider, coalesce(model, '') AS model, currency, count(*) AS requests,
    count(*) FILTER (WHERE status <> 'ANSWERED') AS unanswered, sum(cost) AS cost, sum(suspense) AS suspense
FROM ai_requests WHERE ts_ingest >= $1 AND ($2::text IS NULL OR tenant_id = $2)
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT $3
"""
"""Since a time: what requests have cost, by the model that has answered."""
