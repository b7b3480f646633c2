"""Whether an earlier attempt has written a command: the topic is searched from when the command came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradewind.connectors.gateway.commands.ledger import Begun, in_doubt
from tradewind.connectors.health.messages import Searcher
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.topics import Topic

if TYPE_CHECKING:
    from confluent_kafka import Message


@dataclass(frozen=True, slots=True)
class Written:
    """Searches a topic of commands. For any thread."""

    settings: Settings
    codec: Codec

    def find(self, topic: Topic, begun: Begun) -> Event | None:
        """Return the event of a command; None where no attempt has written it.

        The writer has shut out earlier attempts before, so none will. Raises `StreamError`, and `Problem` (UNKNOWN)
        where more has been written since than one search reads.
        """
        if not begun.again:
            return None
        searcher = Searcher(self.settings, self.settings.physical(topic))
        partitions = range(topic.partitions)
        try:
            bounds = searcher.bounds(partitions)
            begin = searcher.at_time(partitions, begun.at_us // US_PER_MS, bounds)
            step = searcher.forwards(begin, bounds, lambda message: self._is(message, begun) is not None, 1)
        finally:
            searcher.close()
        if step.hits:
            return self._is(step.hits[0], begun)
        if step.left:
            raise in_doubt("too much was written since it came in")
        return None

    def _is(self, message: Message, begun: Begun) -> Event | None:
        try:
            event = self.codec.decode(message.value() or b"")
        except UndecodableRecord:  # somebody else's record
            return None
        return event if getattr(event, "event_id", None) == begun.asked.id else None
