"""PostgreSQL tables of the execution domain: what tenants would order, the life of each order, and fills.

Rows are never changed. Ids are text: ours are 32 hex digits, a venue's may be anything.
"""

from tradewind.connectors.postgres.table import Domain, EventTable, Migration
from tradewind.topics import FILLS, ORDER_EVENTS, ORDER_REQUESTS

CREATE = """
CREATE TABLE order_requests (
    event_id       text COLLATE "C" PRIMARY KEY,
    tenant_id      text NOT NULL,
    ts_event       timestamptz NOT NULL,
    ts_ingest      timestamptz NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text NOT NULL,
    order_id       text COLLATE "C" NOT NULL,
    account_id     text NOT NULL,
    symbol         text NOT NULL,
    venue          text NOT NULL,
    deployment     text NOT NULL,
    mode           text NOT NULL,
    units          numeric(38, 10) NOT NULL,
    lot_size       numeric(38, 10) NOT NULL,
    min_quantity   numeric(38, 10) NOT NULL,
    order_type     text NOT NULL,
    buy_limit      numeric(38, 10),
    sell_limit     numeric(38, 10),
    time_in_force  text NOT NULL,
    expire_ts      timestamptz,
    strategy       text NOT NULL,
    signal_id      text NOT NULL,
    quote_bid      numeric(38, 10) NOT NULL,
    quote_ask      numeric(38, 10) NOT NULL,
    quote_ts       timestamptz NOT NULL
);
CREATE INDEX order_requests_by_time ON order_requests (tenant_id, ts_event);
CREATE INDEX order_requests_by_order ON order_requests (order_id);
COMMENT ON TABLE order_requests IS 'What deployments want, before risk has made orders of it.';
COMMENT ON COLUMN order_requests.ts_event IS 'When it happened, in event time: years ago in a replay.';
COMMENT ON COLUMN order_requests.ts_ingest IS 'When the market data at the origin of the chain entered Tradewind.';
COMMENT ON COLUMN order_requests.correlation_id IS 'First event of the chain.';
COMMENT ON COLUMN order_requests.causation_id IS 'Event that caused this one directly.';
COMMENT ON COLUMN order_requests.units IS
    'Of TARGET the position that is wanted, of ADD a change of it; negative to sell.';
COMMENT ON COLUMN order_requests.quote_ts IS 'Event time of the quote that the order was made on.';

CREATE TABLE order_events (
    event_id        text COLLATE "C" PRIMARY KEY,
    tenant_id       text NOT NULL,
    ts_event        timestamptz NOT NULL,
    ts_ingest       timestamptz NOT NULL,
    correlation_id  text NOT NULL,
    causation_id    text NOT NULL,
    order_id        text COLLATE "C" NOT NULL,
    account_id      text NOT NULL,
    symbol          text NOT NULL,
    venue           text NOT NULL,
    sequence        integer NOT NULL,
    status          text NOT NULL,
    filled_quantity numeric(38, 10) NOT NULL,
    reason          text NOT NULL
);
CREATE INDEX order_events_by_time ON order_events (tenant_id, ts_event);
CREATE INDEX order_events_by_order ON order_events (order_id, sequence);
COMMENT ON TABLE order_events IS 'The steps of orders at their venues; the largest sequence of an order is its state.';
COMMENT ON COLUMN order_events.filled_quantity IS 'Units filled so far.';

CREATE TABLE fills (
    event_id       text COLLATE "C" PRIMARY KEY,
    tenant_id      text NOT NULL,
    ts_event       timestamptz NOT NULL,
    ts_ingest      timestamptz NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text NOT NULL,
    order_id       text COLLATE "C" NOT NULL,
    account_id     text NOT NULL,
    symbol         text NOT NULL,
    venue          text NOT NULL,
    deployment     text NOT NULL,
    side           text NOT NULL,
    quantity       numeric(38, 10) NOT NULL,
    price          numeric(38, 10) NOT NULL,
    fee            numeric(38, 10) NOT NULL,
    liquidity      text NOT NULL,
    quote_seq      bigint NOT NULL,
    strategy       text NOT NULL
);
CREATE INDEX fills_by_time ON fills (tenant_id, ts_event);
COMMENT ON TABLE fills IS 'Quantities of orders that were executed at a price.';
COMMENT ON COLUMN fills.quantity IS 'Units.';
COMMENT ON COLUMN fills.price IS 'Quote currency per unit.';
COMMENT ON COLUMN fills.fee IS 'What the venue takes for it, in the quote currency.';
COMMENT ON COLUMN fills.quote_seq IS 'Sequence of the quote that it was filled at.';
"""

UNNAMED = """
ALTER TABLE fills ALTER COLUMN deployment DROP NOT NULL;
COMMENT ON COLUMN fills.deployment IS 'Null for the one of the strategy''s name.';
"""

INDEXES = """
CREATE INDEX order_requests_by_signal ON order_requests (signal_id);
CREATE INDEX order_requests_by_chain ON order_requests (correlation_id);
CREATE INDEX fills_by_order ON fills (order_id);
"""

EXECUTION = Domain(
    "execution",
    tables=(
        EventTable(ORDER_REQUESTS, "order_requests"),
        EventTable(ORDER_EVENTS, "order_events"),
        EventTable(FILLS, "fills"),
    ),
    migrations=(
        Migration("orders and fills", CREATE),
        Migration("fills without a deployment", UNNAMED),
        Migration("ways of orders", INDEXES),
    ),
)
