"""Which events the totals count, and what a look at Kafka must know of topics and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tradewind.schemas.event import Event
from tradewind.topics import DECISIONS, DOMAIN_TOPICS, LATE_TICKS, TICKS

LATE = LATE_TICKS.total
"""Ticks whose bars had closed: of an older day after a newer one, all. They make no bars."""
WITHOUT_IDS = frozenset({TICKS.total, LATE})
"""Totals of events that have no ids of their own."""
COUNTED = {topic: topic.total for topic in DOMAIN_TOPICS if topic.total}
"""A topic's main event -> the total that it adds to; heartbeats on the same topic add to none."""
DENIED = "denied"
"""Decisions that deny; counted among the decisions, too."""
ALL_LETTERS = "dead_letters"
TOTALS = (
    *(name for total in COUNTED.values() for name in ((total, DENIED) if total == DECISIONS.total else (total,))),
    ALL_LETTERS,
)
"""What is counted, in the order in which it flows."""


@dataclass(frozen=True, slots=True)
class Known:
    """Topics and consumer groups of a namespace, by their names on the cluster.

    Agents of other packages are among them, whose names only the layers above know.
    """

    topics: tuple[str, ...]
    """Every topic that may be Tradewind's; not all need exist."""
    inputs: Mapping[str, frozenset[str]]
    """Consumer group -> the topics that it reads."""
    unused: frozenset[str]
    """Groups that the settings leave out, whose lag concerns nobody."""
    events: Mapping[tuple[str, type[Event] | None], str]
    """(topic, model of the record) -> the total that such a record adds to."""
