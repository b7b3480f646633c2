"""PostgreSQL tables of the tenancy domain: who changed what."""

from __future__ import annotations

from tradewind.connectors.postgres.table import Domain, EventTable, Migration
from tradewind.topics import AUDIT

CREATE = """
CREATE TABLE audit_events (
    event_id       text COLLATE "C" PRIMARY KEY,
    tenant_id      text,
    ts_event       timestamptz NOT NULL,
    ts_ingest      timestamptz NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text NOT NULL,
    user_id        text NOT NULL,
    role           text NOT NULL,
    session_id     text NOT NULL,
    address        text NOT NULL,
    action         text NOT NULL,
    request_key    text NOT NULL,
    outcome        text NOT NULL,
    code           text NOT NULL,
    detail         text NOT NULL,
    subject        text NOT NULL,
    before         text,
    after          text
);
CREATE INDEX audit_events_by_time ON audit_events (ts_event, event_id);
CREATE INDEX audit_events_of_tenant ON audit_events (tenant_id, ts_event, event_id);
COMMENT ON TABLE audit_events IS 'Commands that changed something, or were refused.';
COMMENT ON COLUMN audit_events.tenant_id IS 'Null concerns all tenants, or the platform.';
COMMENT ON COLUMN audit_events.before IS 'JSON; null where the subject was not there, or was not changed.';
"""

TENANCY = Domain(
    "tenancy",
    tables=(EventTable(AUDIT, "audit_events"),),
    migrations=(Migration("audit events", CREATE),),
)
