"""How far feeds have read: the last `FeedPosition` of a feed, and what one record of it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tradewind.connectors.feeds.feed import SourceChanged, SourcePosition
from tradewind.connectors.kafka.records import raw_records
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.market import FeedPosition
from tradewind.topics import FEED_POSITIONS
from tradewind.topics.partitioner import partition_of


@dataclass(frozen=True, slots=True)
class Progress:
    """What a feed has published."""

    position: SourcePosition = field(default_factory=SourcePosition)
    published: int = 0
    rejected: int = 0
    ts_event: int = 0
    """Event time reached, µs."""
    finished: bool = False
    instruments: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(symbol, venue) -> event time of its last tick or heartbeat, µs."""
    owner: str = ""
    """The process that wrote it."""

    def to_event(self, feed: str, source: str) -> FeedPosition:
        """Return the record that keeps it."""
        instruments = [[symbol, venue, ts] for (symbol, venue), ts in sorted(self.instruments.items())]
        return FeedPosition(
            feed=feed,
            source=source,
            position=self.position.record,
            published=self.published,
            rejected=self.rejected,
            ts_event=self.ts_event,
            finished=self.finished,
            state=json.dumps({"instruments": instruments, "state": self.position.state, "owner": self.owner}).encode(),
        )

    @classmethod
    def from_event(cls, event: FeedPosition) -> Progress:
        """Read what `to_event` wrote."""
        kept = json.loads(event.state)
        return cls(
            position=SourcePosition(event.position, kept["state"]),
            published=event.published,
            rejected=event.rejected,
            ts_event=event.ts_event,
            finished=event.finished,
            instruments={(symbol, venue): ts for symbol, venue, ts in kept["instruments"]},
            owner=kept.get("owner", ""),  # positions of the first days were not signed
        )


@dataclass(frozen=True, slots=True)
class Reached:
    """How far an instrument has been published."""

    ts_event: int
    """µs."""
    feed: str
    """Which feed it was."""


def reached_by_others(settings: Settings, codec: Codec, feed: str) -> Mapping[tuple[str, str], Reached]:
    """Return how far other feeds have published each instrument: (symbol, venue) -> the furthest."""
    last: dict[bytes, bytes] = {}
    for batch in raw_records(settings, settings.physical(FEED_POSITIONS), range(FEED_POSITIONS.partitions), "earliest"):
        last.update((key, value) for message in batch if (key := message.key()) and (value := message.value()))
    found: dict[tuple[str, str], Reached] = {}
    for key, value in last.items():
        event = codec.decode(value)
        if isinstance(event, FeedPosition) and event.published and key != feed.encode():
            for name, ts in Progress.from_event(event).instruments.items():
                if name not in found or ts > found[name].ts_event:
                    found[name] = Reached(ts, event.feed)
    return found


def last_progress(settings: Settings, codec: Codec, feed: str, source: str) -> Progress:
    """Return what a feed has published by its last transaction; raises `SourceChanged` for another source of events.

    Read it only after the feed's producer was opened: that ended what an earlier owner left open.
    """
    last: bytes | None = None
    key = feed.encode()
    partition = partition_of(key, FEED_POSITIONS.partitions)
    for batch in raw_records(settings, settings.physical(FEED_POSITIONS), (partition,), "earliest"):
        for message in batch:
            if message.key() == key:
                last = message.value()
    if last is None:
        return Progress()
    event = codec.decode(last)
    if not isinstance(event, FeedPosition):
        raise SourceChanged(f"the last record of feed {feed} on {FEED_POSITIONS.name} is not a position: {event!r}")
    if event.source != source and event.published == 0:
        return Progress()  # a file that was mended keeps its name: nothing of the one before it can be doubled
    if event.source != source:
        raise SourceChanged(
            f"feed {feed} has published {event.published:,} events of {event.source}; this is {source}. "
            "Rename the file to publish it as a feed of its own"
        )
    return Progress.from_event(event)
