"""Which topics and consumer groups are Tradewind's, and which events the totals count."""

from __future__ import annotations

from tradewind.connectors.settings import Settings
from tradewind.schemas.event import Event
from tradewind.schemas.runtime import DeadLetter
from tradewind.topics import BARS, DECISIONS, DOMAIN_TOPICS, FILLS, ORDER_REQUESTS, SIGNALS, TICKS

TOTALS = ("ticks", "bars", "signals", "orders", "decisions", "denied", "fills", "dead_letters")
"""What is counted, in the order in which it flows."""
COUNTED = {
    TICKS: "ticks",
    BARS: "bars",
    SIGNALS: "signals",
    ORDER_REQUESTS: "orders",
    DECISIONS: "decisions",
    FILLS: "fills",
}
"""A topic's main event -> the total that it adds to; heartbeats on the same topic add to none."""
DEAD_LETTERS = "dlq"
KEPT_FOR_A_CONSUMER = ("changelog", "journal", "redrive", "redriven", DEAD_LETTERS)
"""Topics that a consumer has for itself, as `<consumer>.<one of these>`."""
CONSUMERS = tuple(dict.fromkeys(name for topic in DOMAIN_TOPICS for name in (*topic.producers, *topic.consumers)))
"""Agents, sinks and feeds, as the topics name them: importing the agents themselves takes a second."""


def topics_of(settings: Settings) -> tuple[str, ...]:
    """Return the name on the cluster of every topic that may be Tradewind's; not all need exist."""
    own = (f"{consumer}.{kind}" for consumer in CONSUMERS for kind in KEPT_FOR_A_CONSUMER)
    return tuple(settings.physical(topic) for topic in (*(topic.name for topic in DOMAIN_TOPICS), *own))


def inputs_of(settings: Settings) -> dict[str, frozenset[str]]:
    """Return what each consumer group reads: group -> topics, by their names on the cluster."""
    return {
        settings.physical(f"tradewind.{consumer}"): frozenset(
            settings.physical(topic) for topic in DOMAIN_TOPICS if consumer in topic.consumers
        )
        for consumer in CONSUMERS
    }


def events_of(settings: Settings) -> dict[tuple[str, type[Event] | None], str]:
    """Return (topic on the cluster, model of the record) -> the total that such a record adds to."""
    main = [((settings.physical(topic), topic.model), total) for topic, total in COUNTED.items()]
    letters = [
        ((settings.physical(f"{consumer}.{DEAD_LETTERS}"), DeadLetter), "dead_letters") for consumer in CONSUMERS
    ]
    return dict([*main, *letters])
