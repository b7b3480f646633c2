"""PostgreSQL tables of the portfolio domain: what each account, and each of its deployments, holds of an instrument."""

from tradewind.connectors.postgres.table import Domain, EventTable, Migration
from tradewind.topics import DEPLOYMENT_POSITIONS, POSITIONS

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

DEPLOYMENTS = """
CREATE TABLE deployment_positions (
    tenant_id      text NOT NULL,
    account_id     text NOT NULL,
    deployment     text NOT NULL,
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
    PRIMARY KEY (tenant_id, account_id, deployment, symbol, venue)
);
CREATE INDEX deployment_positions_by_time ON deployment_positions (tenant_id, ts_event);
COMMENT ON TABLE deployment_positions IS
    'What each deployment holds now: the newest version only. Those of an account add up to its row of positions.';
COMMENT ON COLUMN deployment_positions.version IS
    'Rises by one with each event of the holding; an older one never replaces a newer one.';
COMMENT ON COLUMN deployment_positions.quantity IS 'Units, negative when short.';
COMMENT ON COLUMN deployment_positions.realised_pnl IS
    'Profit of closed quantity, in the quote currency, before fees.';
COMMENT ON COLUMN deployment_positions.fees IS 'Of all fills, in the quote currency.';
"""

ACCOUNT = ("tenant_id", "account_id")
INSTRUMENT = ("symbol", "venue")
PORTFOLIO = Domain(
    "portfolio",
    tables=(
        EventTable(POSITIONS, "positions", key=(*ACCOUNT, *INSTRUMENT), version="version"),
        EventTable(
            DEPLOYMENT_POSITIONS, "deployment_positions", key=(*ACCOUNT, "deployment", *INSTRUMENT), version="version"
        ),
    ),
    migrations=(Migration("positions", CREATE), Migration("deployment positions", DEPLOYMENTS)),
)
