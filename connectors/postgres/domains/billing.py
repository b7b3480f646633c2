"""PostgreSQL tables of the billing domain: what each tenant has used."""

from __future__ import annotations

from tradewind.connectors.postgres.table import Domain, EventTable, Migration
from tradewind.topics import USAGE_TOTALS

CREATE = """
CREATE TABLE usage_totals (
    tenant_id         text NOT NULL,
    meter             text NOT NULL,
    dimension         text NOT NULL,
    ts_start          timestamptz NOT NULL,
    ts_end            timestamptz NOT NULL,
    records           bigint NOT NULL,
    quantity          bigint NOT NULL,
    billable_quantity bigint NOT NULL,
    event_id          text COLLATE "C" NOT NULL,
    ts_event          timestamptz NOT NULL,
    ts_ingest         timestamptz NOT NULL,
    correlation_id    text NOT NULL,
    causation_id      text NOT NULL,
    PRIMARY KEY (tenant_id, ts_start, meter, dimension)
);
COMMENT ON TABLE usage_totals IS 'What each tenant has used in each month of UTC: the newest total only.';
COMMENT ON COLUMN usage_totals.records IS 'Usage records in the total. An older total never replaces a newer one.';
COMMENT ON COLUMN usage_totals.quantity IS 'Units of the meter; of ai.cost, millionths of the currency.';
"""

BILLING = Domain(
    "billing",
    tables=(
        EventTable(
            USAGE_TOTALS, "usage_totals", key=("tenant_id", "ts_start", "meter", "dimension"), version="records"
        ),
    ),
    migrations=(Migration("usage totals", CREATE),),
)
