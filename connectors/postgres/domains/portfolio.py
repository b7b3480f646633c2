"""PostgreSQL tables of the portfolio domain: the position of each account in each instrument."""

from tradewind.connectors.postgres.table import Domain, EventTable, Migration
from tradewind.topics import POSITIONS

CREATE = """
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
    fees           numeric(38, 10) NOT NULL,
    mark_price     numeric(38, 10) NOT NULL,
    fills          bigint NOT NULL,
    PRIMARY KEY (tenant_id, account_id, symbol, venue)
);
CREATE INDEX positions_by_time ON positions (tenant_id, ts_event);
COMMENT ON TABLE positions IS 'What each account holds now: the newest version only. The topic has those before it.';
COMMENT ON COLUMN positions.version IS
    'Rises by one with each event of the position; an older one never replaces a newer one.';
COMMENT ON COLUMN positions.quantity IS 'Units, negative when short.';
COMMENT ON COLUMN positions.realised_pnl IS 'Profit of closed quantity, in the quote currency, before fees.';
COMMENT ON COLUMN positions.fees IS 'Of all fills, in the quote currency.';
"""

PORTFOLIO = Domain(
    "portfolio",
    tables=(EventTable(POSITIONS, "positions", key=("tenant_id", "account_id", "symbol", "venue"), version="version"),),
    migrations=(Migration("positions", CREATE),),
)
