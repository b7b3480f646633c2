"""Topics of the risk domain: decisions on order requests, and the kill switch."""

from typing import cast

from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder
from tradewind.schemas.market import Heartbeat
from tradewind.schemas.risk import Decision, KillSwitch
from tradewind.topics.keys import INSTRUMENT, instrument_key
from tradewind.topics.topic import Topic

DECISIONS = Topic(
    name="risk.decisions",
    model=Decision,
    also=(Heartbeat, CancelOrder),
    time_carrier=Heartbeat,
    key=instrument_key,
    key_columns=INSTRUMENT,
    newest_time=True,
    owner="risk",
    total="decisions",
    producers=("risk",),
    consumers=("execution", "metering", "postgres"),
)
"""By instrument, as quotes. Each heartbeat names the partition of risk that passed it on: every partition decides on
orders of any instrument, so an instrument's time is the least that all of them have reached."""


def _switch(event: Event) -> str:
    switch = cast("KillSwitch", event)
    return f"{switch.tenant_id}/{switch.account_id or '*'}"


KILL_SWITCHES = Topic(
    name="risk.kill_switches",
    model=KillSwitch,
    key=_switch,
    owner="risk",
    producers=("cli", "gateway"),
    consumers=("risk", "execution", "postgres"),
    broadcast=True,
)
"""A command goes to every partition, for each task of both agents must see it; what is engaged is their state."""
