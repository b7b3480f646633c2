"""Approved orders and fills become usage, one unit each.

An agent of its own, so that nothing about bills can stop an order. Its task is the source: the state that numbers the
records lasts as long as the topics do.
"""

from __future__ import annotations

from typing import Final

from tradewind.processors.batch import PoisonRecord, Processor, Segment, State, require_known, rows_of
from tradewind.processors.billing.meters import FILLS, ORDERS
from tradewind.processors.billing.numbering import next_sequence
from tradewind.processors.identity import derive_id, instrument
from tradewind.schemas.billing import Usage
from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder, Fill
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.risk import Decision

DOOR: Final = "metering"
MOST_CHARACTERS: Final = 256  # of a dimension; the names of symbol and venue may have as many each


def metering() -> Processor:
    """Return the metering agent's processor: decisions and fills -> usage; heartbeats and cancels end here.

    Raises `PoisonRecord` for an approval or a fill of no tenant, and for a decision whose outcome is not known.
    """

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment) or segment.model in {Heartbeat, CancelOrder}:
            return []
        source = f"{DOOR}/{segment.partition}"
        sent: list[Event] = []
        events = zip(rows_of(segment).events, segment.ts_ingest.tolist(), strict=True)
        for index, (event, ts_ingest) in enumerate(events):
            match event:
                case Decision():
                    require_known(event, index, "outcome")
                    if event.outcome == "APPROVED":
                        sent.append(_used(state, index, event, source, ts_ingest))
                case Fill():
                    sent.append(_used(state, index, event, source, ts_ingest))
                case _:
                    raise TypeError(f"usage is of decisions and fills, not of a {type(event).__name__}")
        return sent

    return process


def _used(state: State, index: int, event: Decision | Fill, source: str, ts_ingest: int) -> Usage:
    if event.tenant_id is None:
        raise PoisonRecord(index, f"{type(event).__name__} {event.event_id} has no tenant, and so no bill")
    meter = FILLS if isinstance(event, Fill) else ORDERS
    return Usage(
        event_id=derive_id("Usage", meter, event.event_id),
        tenant_id=event.tenant_id,
        ts_event=ts_ingest,  # a file of 2014 is used today, and billed today
        ts_ingest=ts_ingest,
        correlation_id=event.correlation_id,
        causation_id=event.event_id,
        meter=meter,
        dimension=instrument(event.symbol, event.venue)[:MOST_CHARACTERS],
        quantity=1,
        source=source,
        sequence=next_sequence(state, event.tenant_id),
        billable=True,
    )
