"""The last tick of each instrument and the last bar of each interval, as two threads follow their topics."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from confluent_kafka import Message

from tradewind.connectors.gateway.stream.hub import Channel, Key
from tradewind.connectors.gateway.views.topic_view import OfModel, TopicView
from tradewind.connectors.gateway.wire import encoded, event_for_wire
from tradewind.connectors.kafka.records import Start
from tradewind.connectors.settings import Settings
from tradewind.processors.identity import instrument
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.schemas.market import Bar, Tick
from tradewind.topics import BARS, TICKS, Topic

MOST_CELLS: Final = 2_000
"""Instruments, times intervals for bars. More are left out, and the log says so once."""
Put = Callable[[dict[Key, bytes]], None]
"""Takes the cells that have changed; called from the view's thread."""
log = logging.getLogger(__name__)


class Follower(TopicView):
    """Follows one topic from its end, and keeps the last event of each cell."""

    def __init__(self, settings: Settings, codec: Codec, topic: Topic, channel: Channel, put: Put) -> None:
        super().__init__(settings, topic, topic.name)
        self._codec, self._channel, self._put = codec, channel, put
        self._of_model = OfModel(topic, codec)
        self._cells: set[Key] = set()
        self._full = False

    def begin(self) -> Start:
        """Begin at the end: only the last event of a cell counts."""
        return "latest"

    def take(self, batch: list[Message]) -> None:
        """Decode the last event of each key and hand on what has changed: what is replaced at once is not decoded."""
        seen: set[bytes] = set()
        found: dict[Key, bytes] = {}
        by_interval = self._channel == "bars"  # keys are instruments, and bars of several intervals share one
        for message in reversed(batch):
            value, key = message.value(), message.key() or b""
            if value is None or (key in seen and not by_interval) or not self._of_model(value):
                continue
            seen.add(key)
            try:
                event = self._codec.decode(value)
            except UndecodableRecord:
                continue  # the agents make a dead letter of it
            cell = cell_of(event)
            if cell is not None and cell not in found and self._has_room(cell):
                found[cell] = encoded(event_for_wire(event))
        if found:
            self._put(found)

    def _has_room(self, cell: Key) -> bool:
        if cell in self._cells:
            return True
        if len(self._cells) >= MOST_CELLS:
            if not self._full:
                log.warning("the view of %s keeps %d cells; more are left out", self._topic.name, MOST_CELLS)
            self._full = True
            return False
        self._cells.add(cell)
        return True


def cell_of(event: Event) -> Key | None:
    """Return the cell of an event: a tick's is its instrument, a bar's its instrument and interval."""
    match event:
        case Tick(symbol=symbol, venue=venue):
            return "ticks", instrument(symbol, venue)
        case Bar(symbol=symbol, venue=venue, interval_s=interval):
            return "bars", f"{instrument(symbol, venue)}:{interval}"
    return None


def followers(settings: Settings, codec: Codec, put: Put) -> tuple[Follower, ...]:
    """Return the threads of the market's views, not yet started."""
    return Follower(settings, codec, TICKS, "ticks", put), Follower(settings, codec, BARS, "bars", put)
