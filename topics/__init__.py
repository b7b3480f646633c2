"""Every topic, as a typed constant."""

from tradewind.topics.catalog import UnknownTopic, topic_named
from tradewind.topics.execution import FILLS, ORDER_EVENTS, ORDER_REQUESTS
from tradewind.topics.market import BARS, FEED_POSITIONS, LATE_TICKS, TICKS, TRADES
from tradewind.topics.notifications import ALERTS
from tradewind.topics.portfolio import POSITIONS
from tradewind.topics.risk import DECISIONS, KILL_SWITCHES
from tradewind.topics.signals import SIGNALS
from tradewind.topics.topic import PARTITIONS, Topic

DOMAIN_TOPICS: tuple[Topic, ...] = (
    TICKS,
    TRADES,
    LATE_TICKS,
    BARS,
    FEED_POSITIONS,
    SIGNALS,
    ORDER_REQUESTS,
    DECISIONS,
    KILL_SWITCHES,
    ORDER_EVENTS,
    FILLS,
    POSITIONS,
    ALERTS,
)
"""The topics that people read and write; each agent adds its own changelog and dead letters."""

__all__ = [
    "ALERTS",
    "BARS",
    "DECISIONS",
    "DOMAIN_TOPICS",
    "FEED_POSITIONS",
    "FILLS",
    "KILL_SWITCHES",
    "LATE_TICKS",
    "ORDER_EVENTS",
    "ORDER_REQUESTS",
    "PARTITIONS",
    "POSITIONS",
    "SIGNALS",
    "TICKS",
    "TRADES",
    "Topic",
    "UnknownTopic",
    "topic_named",
]
