"""Topics of the notifications domain."""

from typing import cast

from tradewind.schemas.event import Event
from tradewind.schemas.notifications import Alert
from tradewind.topics.topic import Topic


def _source(event: Event) -> str:
    return cast("Alert", event).source


ALERTS = Topic(
    name="notifications.alerts",
    model=Alert,
    key=_source,
    owner="notifications",
    producers=("signals", "ai", "rating", "runtime"),
    consumers=(),
)
