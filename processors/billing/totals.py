"""The total of a tenant, a meter, a dimension and a month: what each usage record adds to."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from tradewind.processors.batch import State
from tradewind.processors.clock import month_name
from tradewind.processors.identity import ID_BYTES
from tradewind.schemas.billing import UsageTotal

TOTAL: Final = "total/"
MOST_DIMENSIONS: Final = 1_000
"""Of a tenant, a meter and a month. Texts of users are parts of dimensions, and must not fill the state."""
OTHERS: Final = "others"
"""The dimension of what is counted beyond `MOST_DIMENSIONS`."""


@dataclass(slots=True)
class Total:
    """A total, while records are counted."""

    tenant_id: str
    meter: str
    dimension: str
    ts_start: int
    ts_end: int
    quantity: int
    billable: int
    records: int
    ts_event: int
    before_number: bytes
    """What its event ids hash before the number of records."""

    def event_id(self) -> str:
        """Return `derive_id("UsageTotal", ...)` of the total as it is now."""
        return blake2b(b"%b%d" % (self.before_number, self.records), digest_size=ID_BYTES).hexdigest()

    def event(self, ts_ingest: int, correlation_id: str, causation_id: str) -> UsageTotal:
        """Return the total after a record."""
        return UsageTotal(
            event_id=self.event_id(),
            tenant_id=self.tenant_id,
            ts_event=self.ts_event,
            ts_ingest=ts_ingest,
            correlation_id=correlation_id,
            causation_id=causation_id,
            meter=self.meter,
            dimension=self.dimension,
            ts_start=self.ts_start,
            ts_end=self.ts_end,
            quantity=self.quantity,
            billable_quantity=self.billable,
            records=self.records,
        )


def total_of(state: State, tenant_id: str, meter: str, dimension: str, month: tuple[int, int]) -> Total:
    """Return a total of a month, given by its first moment and the one after its last, µs."""
    start, end = month
    known = state.get(key_of(tenant_id, meter, start) + dimension, UsageTotal)
    head = "\x1f".join(("UsageTotal", tenant_id, meter, dimension, str(start), "")).encode()
    if known is None:
        return Total(tenant_id, meter, dimension, start, end, 0, 0, 0, 0, head)
    quantities = known.quantity, known.billable_quantity, known.records
    return Total(tenant_id, meter, dimension, start, end, *quantities, known.ts_event, head)


def dimensions_of(state: State, tenant_id: str, meter: str, start: int) -> set[str]:
    """Return the dimensions of a month that the state has counted."""
    head = key_of(tenant_id, meter, start)
    return {key.removeprefix(head) for key in state.keys(head)}


def used_in_month(state: State, tenant_id: str, meter: str, start: int) -> int:
    """Return the units of a month that the state has counted, over all dimensions."""
    found = (state.get(key, UsageTotal) for key in state.keys(key_of(tenant_id, meter, start)))
    return sum(total.quantity for total in found if total is not None)


def key_of(tenant_id: str, meter: str, start: int) -> str:
    """Return what the keys of a month's totals of a meter begin with; the dimension follows."""
    return f"{TOTAL}{tenant_id}/{month_name(start)}/{meter}/"
