"""PostgreSQL tables of the risk domain: decisions, and the kill switches, which must outlive Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tradewind.connectors.cluster.last_switches import write_last
from tradewind.connectors.cluster.switches import OnTopic
from tradewind.connectors.postgres.connection import Connection
from tradewind.connectors.postgres.table import Domain, EventTable, Migration
from tradewind.connectors.sinks.sink import Batch
from tradewind.processors.batch import rows_of
from tradewind.schemas.risk import KillSwitch
from tradewind.topics import DECISIONS, KILL_SWITCHES

CREATE = """
CREATE TABLE decisions (
    event_id       text COLLATE "C" PRIMARY KEY,
    tenant_id      text NOT NULL,
    ts_event       timestamptz NOT NULL,
    ts_ingest      timestamptz NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text NOT NULL,
    outcome        text NOT NULL,
    codes          text[] NOT NULL,
    reason         text NOT NULL,
    order_id       text COLLATE "C" NOT NULL,
    account_id     text NOT NULL,
    symbol         text NOT NULL,
    venue          text NOT NULL,
    deployment     text NOT NULL,
    side           text NOT NULL,
    order_type     text NOT NULL,
    quantity       numeric(38, 10) NOT NULL,
    limit_price    numeric(38, 10),
    time_in_force  text NOT NULL,
    expire_ts      timestamptz,
    strategy       text NOT NULL,
    signal_id      text NOT NULL,
    quote_bid      numeric(38, 10) NOT NULL,
    quote_ask      numeric(38, 10) NOT NULL,
    quote_ts       timestamptz NOT NULL
);
CREATE INDEX decisions_by_time ON decisions (tenant_id, ts_event);
CREATE INDEX decisions_by_order ON decisions (order_id);
COMMENT ON TABLE decisions IS 'Risk''s answers to order requests, with the orders that they lead to.';
COMMENT ON COLUMN decisions.quantity IS 'Units of the order; 0 where none is needed.';
COMMENT ON COLUMN decisions.codes IS 'Why it was denied: every code that applies; else empty.';

CREATE TABLE kill_switches (
    event_id       text COLLATE "C" PRIMARY KEY,
    tenant_id      text,
    ts_event       timestamptz NOT NULL,
    ts_ingest      timestamptz NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text NOT NULL,
    account_id     text,
    engaged        boolean NOT NULL,
    reason         text NOT NULL
);
CREATE INDEX kill_switches_by_time ON kill_switches (ts_event);
COMMENT ON TABLE kill_switches IS 'Commands of kill switches, each id once; last_kill_switches says what is engaged.';
COMMENT ON COLUMN kill_switches.tenant_id IS 'Null is every tenant.';
COMMENT ON COLUMN kill_switches.account_id IS 'Null is every account of the tenant.';

CREATE TABLE last_kill_switches (
    event_id       text NOT NULL,
    tenant_id      text,
    ts_event       timestamptz NOT NULL,
    ts_ingest      timestamptz NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text NOT NULL,
    account_id     text,
    engaged        boolean NOT NULL,
    reason         text NOT NULL,
    partition      integer NOT NULL,
    place          bigint NOT NULL,
    topic_id       text
);
CREATE UNIQUE INDEX last_kill_switches_of ON last_kill_switches
    (coalesce('=' || tenant_id, '*'), coalesce('=' || account_id, '*'), partition);
COMMENT ON TABLE last_kill_switches IS 'The last command of each partition of the topic for each tenant and account.';
COMMENT ON COLUMN last_kill_switches.place IS 'The record''s offset.';
COMMENT ON COLUMN last_kill_switches.topic_id IS
    'Kafka''s id of the topic, in which alone offsets compare; null where it is not told.';
"""

JUDGED = """
ALTER TABLE decisions ADD COLUMN tenant_revision bigint NOT NULL DEFAULT 0;
ALTER TABLE decisions ADD COLUMN held numeric(38, 10) NOT NULL DEFAULT 0;
ALTER TABLE decisions ADD COLUMN exposure numeric(38, 10) NOT NULL DEFAULT 0;
ALTER TABLE decisions ADD COLUMN elsewhere numeric(38, 10);
ALTER TABLE decisions ADD COLUMN in_minute bigint NOT NULL DEFAULT 0;
ALTER TABLE decisions ADD COLUMN lost_today numeric(38, 10);
ALTER TABLE decisions ADD COLUMN drawdown numeric(38, 10);
COMMENT ON COLUMN decisions.tenant_revision IS 'Of the tenant whose limits were in force; 0 of an unknown tenant.';
COMMENT ON COLUMN decisions.held IS 'Units of the deployment before the order, with approved orders as if filled.';
COMMENT ON COLUMN decisions.exposure IS 'Units of the account before the order, over all its deployments.';
COMMENT ON COLUMN decisions.elsewhere IS
    'Units of the tenant''s other accounts, long and short added; null where no limit is about them.';
COMMENT ON COLUMN decisions.in_minute IS 'Orders of the tenant and instrument approved before, in the same minute.';
COMMENT ON COLUMN decisions.lost_today IS
    'What the account had lost in the instrument since 00:00 UTC; null where no limit is about that.';
COMMENT ON COLUMN decisions.drawdown IS
    'What the account had lost in the instrument since its best result; null where no limit is about that.';
"""

ACROSS = """
ALTER TABLE decisions ADD COLUMN total_exposure numeric(38, 10);
ALTER TABLE decisions ADD COLUMN currency_exposure numeric(38, 10);
ALTER TABLE decisions ADD COLUMN no_rate text NOT NULL DEFAULT '';
COMMENT ON COLUMN decisions.total_exposure IS
    'What all positions of the tenant would be worth after the order; null where no limit is about that.';
COMMENT ON COLUMN decisions.currency_exposure IS
    'What all accounts would hold net of a currency after the order; null where no limit is about that.';
COMMENT ON COLUMN decisions.no_rate IS 'Which marks and rates were missing to value that; else empty.';
"""


async def keep_last(connection: Connection, batch: Batch, topic_id: str | None) -> None:
    """Keep the last kill switches of a batch by their places on the topic, which is the order that agents obey."""
    if batch.data is None:
        return
    commands = cast("Sequence[KillSwitch]", rows_of(batch.data).events)
    placed = {int(place): command for place, command in zip(batch.data.offsets, commands, strict=True)}
    await write_last(connection, OnTopic({batch.partition: placed}, topic_id).last())


RISK = Domain(
    "risk",
    tables=(
        EventTable(DECISIONS, "decisions"),
        EventTable(KILL_SWITCHES, "kill_switches", also=keep_last),
    ),
    migrations=(
        Migration("decisions and kill switches", CREATE),
        Migration("what decisions were judged by", JUDGED),
        Migration("limits over several instruments", ACROSS),
    ),
)
