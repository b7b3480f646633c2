"""Topics of the execution domain: commands, order requests, the life of orders, fills."""

from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder, Fill, OrderEvent, OrderRequest, SubmitOrder
from tradewind.schemas.market import Heartbeat
from tradewind.topics.keys import INSTRUMENT, account_key, instrument_key, tenant_key
from tradewind.topics.topic import Topic


def _request_key(event: Event) -> str:
    return instrument_key(event) if isinstance(event, Heartbeat) else account_key(event)


ORDER_COMMANDS = Topic(
    name="execution.commands",
    model=SubmitOrder,
    also=(CancelOrder,),
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="execution",
    producers=("gateway",),
    consumers=("sizing",),
)
"""An input of sizing: whoever wrote requests from outside would break what the heartbeats on them promise."""
ORDER_REQUESTS = Topic(
    name="execution.order_requests",
    model=OrderRequest,
    also=(Heartbeat, CancelOrder),
    time_carrier=Heartbeat,
    key=_request_key,
    partition_key=tenant_key,
    spread=(Heartbeat,),
    newest_time=True,
    owner="execution",
    total="orders",
    producers=("sizing",),
    consumers=("risk", "postgres"),
)
"""A tenant's accounts share a partition, so that one task of risk judges all of them. The heartbeats of an instrument
go to every partition: each task of risk passes them on behind its decisions."""
ORDER_EVENTS = Topic(
    name="execution.order_events",
    model=OrderEvent,
    key=account_key,
    partition_key=tenant_key,
    owner="execution",
    producers=("execution",),
    consumers=("risk", "postgres"),
)
"""By tenant, as the requests: risk takes back what an order of its own did not fill."""
FILLS = Topic(
    name="execution.fills",
    model=Fill,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="execution",
    total="fills",
    producers=("execution",),
    consumers=("portfolio", "metering", "postgres"),
)
