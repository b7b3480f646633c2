"""Topics of the signals domain."""

from tradewind.schemas.market import Heartbeat
from tradewind.schemas.signals import Signal
from tradewind.topics.keys import instrument_key
from tradewind.topics.topic import Topic

SIGNALS = Topic(
    name="signals.signals",
    model=Signal,
    also=(Heartbeat,),
    key=instrument_key,
    owner="signals",
    producers=("signals",),
    consumers=("sizing",),
)
