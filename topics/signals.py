"""Topics of the signals domain."""

from tradewind.schemas.market import Heartbeat
from tradewind.schemas.signals import Signal
from tradewind.topics.keys import INSTRUMENT, instrument_key
from tradewind.topics.topic import Topic

SIGNALS = Topic(
    name="signals.signals",
    model=Signal,
    also=(Heartbeat,),
    time_carrier=Heartbeat,
    key=instrument_key,
    key_columns=INSTRUMENT,
    owner="signals",
    total="signals",
    producers=("signals",),
    consumers=("sizing",),
)
