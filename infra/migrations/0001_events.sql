-- What has happened in execution, risk and the portfolio, one row an event, as the events on Kafka say it.
-- Rows are never changed, except those of positions. Ids are text: ours are 32 hex digits, a venue's may be anything.

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
CREATE INDEX order_requests_by_time ON order_requests (tenant_id, ts_event);
CREATE INDEX order_requests_by_order ON order_requests (order_id);
COMMENT ON TABLE order_requests IS 'Orders that tenants would place, before risk has decided.';
COMMENT ON COLUMN order_requests.ts_event IS 'When it happened, in event time: years ago in a replay.';
COMMENT ON COLUMN order_requests.ts_ingest IS 'When the market data at the origin of the chain entered Tradewind.';
COMMENT ON COLUMN order_requests.correlation_id IS 'First event of the chain.';
COMMENT ON COLUMN order_requests.causation_id IS 'Event that caused this one directly.';
COMMENT ON COLUMN order_requests.quantity IS 'Units, above zero.';
COMMENT ON COLUMN order_requests.quote_ts IS 'Event time of the quote that the order was made on.';

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
COMMENT ON TABLE decisions IS 'Risk''s answers to order requests, with what was asked.';
COMMENT ON COLUMN decisions.codes IS 'Why it was denied: every code that applies; empty when approved.';

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
    side           text NOT NULL,
    quantity       numeric(38, 10) NOT NULL,
    price          numeric(38, 10) NOT NULL,
    liquidity      text NOT NULL,
    quote_seq      bigint NOT NULL,
    strategy       text NOT NULL
);
CREATE INDEX fills_by_time ON fills (tenant_id, ts_event);
COMMENT ON TABLE fills IS 'Quantities of orders that were executed at a price.';
COMMENT ON COLUMN fills.quantity IS 'Units.';
COMMENT ON COLUMN fills.price IS 'Quote currency per unit.';
COMMENT ON COLUMN fills.quote_seq IS 'Sequence of the quote that it was filled at.';

CREATE TABLE positions (
    tenant_id      text NOT NULL,
    account_id     text NOT NULL,
    symbol         text NOT NULL,
    venue          text NOT NULL,
    version        bigint NOT NULL,
    event_id       text COLLATE "C" NOT NULL,
    ts_event       timestamptz NOT NULL,
    ts_ingest      timestamptz NOT NULL,
    correlation_id text NOT NULL,
    causation_id   text NOT NULL,
    quantity       numeric(38, 10) NOT NULL,
    average_price  numeric(38, 10) NOT NULL,
    realised_pnl   numeric(38, 10) NOT NULL,
    unrealised_pnl numeric(38, 10) NOT NULL,
    mark_price     numeric(38, 10) NOT NULL,
    fills          bigint NOT NULL,
    PRIMARY KEY (tenant_id, account_id, symbol, venue)
);
CREATE INDEX positions_by_time ON positions (tenant_id, ts_event);
COMMENT ON TABLE positions IS 'What each account holds now: the newest version only. The topic has those before it.';
COMMENT ON COLUMN positions.version IS 'Rises by one with each event of the position; an older one never replaces a newer one.';
COMMENT ON COLUMN positions.quantity IS 'Units, negative when short.';
COMMENT ON COLUMN positions.realised_pnl IS 'Profit of closed quantity, in the quote currency.';

CREATE TABLE sink_positions (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    topic_id    text,
    next_offset bigint,
    epoch       bigint NOT NULL,
    claimed_at  timestamptz NOT NULL DEFAULT now(),
    written_at  timestamptz,
    PRIMARY KEY (topic, partition)
);
COMMENT ON TABLE sink_positions IS 'How far each partition of Kafka is written, in the same transactions as its rows.';
COMMENT ON COLUMN sink_positions.topic_id IS 'Kafka''s id of the topic: another one means that it was created anew, and is read from its start.';
COMMENT ON COLUMN sink_positions.next_offset IS 'The record to go on with; null where nothing has been written.';
COMMENT ON COLUMN sink_positions.epoch IS 'Rises when a process takes the partition; writes of an older epoch are refused.';
