"""Topics of the execution domain: commands, order requests, the life of orders, fills."""

from tradewind.schemas.execution import CancelOrder, Fill, OrderEvent, OrderRequest, SubmitOrder
from tradewind.schemas.market import Heartbeat
from tradewind.topics.keys import INSTRUMENT, instrument_key
from tradewind.topics.topic import Topic

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
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="execution",
    total="orders",
    producers=("sizing",),
    consumers=("risk", "postgres"),
)
ORDER_EVENTS = Topic(
    name="execution.order_events",
    model=OrderEvent,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="execution",
    producers=("execution",),
    consumers=("risk", "postgres"),
)
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
