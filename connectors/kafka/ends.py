"""Which instruments' ticks were published without a heartbeat that ends them: their last bars stay open.

A first tick that nothing follows is doubted as well, so the execution agent holds it, with its partition
(docs/observability.md, A held partition). A heartbeat says how far time has come; a closing one, that the source ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

from tradewind.connectors.clock.wall import clock_us
from tradewind.connectors.settings import Settings
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.topics import TICKS, Topic

MINUTE_US = 60_000_000
CLOSED = TICKS
"""The topic whose sources end."""
Name = tuple[str, str]
"""Symbol and venue."""


def closing_ts(last_ts: int, grace_us: int) -> int:
    """Return the time of a closing heartbeat, µs: past the end of the last minute, so that every bar closes.

    No further than that, so that nothing of a next source is late which begins where this one ends.
    """
    return (last_ts // MINUTE_US + 1) * MINUTE_US + grace_us


@dataclass(slots=True)
class Ends:
    """How far each instrument's ticks and heartbeats went, of those that somebody publishes."""

    grace_us: int
    newest: dict[Name, int] = field(default_factory=dict)
    """Event time of the newest tick or heartbeat, µs."""
    open: dict[Name, int] = field(default_factory=dict)
    """Event time of the newest tick that no heartbeat has reached, µs."""
    closed: set[Name] = field(default_factory=set)
    """Instruments whose last record is a closing heartbeat."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return one that has seen nothing."""
        return cls(settings.bar_grace_ms * 1000)

    def note(self, event: Event) -> None:
        """Take an event in; others than ticks and heartbeats change nothing."""
        if not isinstance(event, Tick | Heartbeat):
            return
        name = event.symbol, event.venue
        self.newest[name] = max(event.ts_event, self.newest.get(name, event.ts_event))
        self.closed.discard(name)
        if isinstance(event, Tick):
            self.open[name] = max(event.ts_event, self.open.get(name, event.ts_event))
            return
        if name in self.open and event.ts_event >= self.open[name]:
            del self.open[name]
        if event.closing and name not in self.open:
            self.closed.add(name)

    def copy(self) -> Self:
        """Return what is known now, apart from what comes later."""
        return replace(self, newest=dict(self.newest), open=dict(self.open), closed=set(self.closed))

    def closing(self) -> list[Heartbeat]:
        """Return a closing heartbeat of each instrument that has none, as a feed sends it at its end."""
        now_us = clock_us()
        return [
            Heartbeat(
                symbol=symbol,
                venue=venue,
                ts_event=closing_ts(last_ts, self.grace_us),
                ts_ingest=now_us,
                closing=True,
            )
            for (symbol, venue), last_ts in sorted(self.newest.items())
            if (symbol, venue) not in self.closed
        ]


def closed(topic: Topic, events: Iterable[Event], ends: Ends) -> Iterator[Event]:
    """Yield events, then a closing heartbeat for each of their instruments; raises `ValueError` for another topic."""
    if topic.name != CLOSED.name:
        raise ValueError(f"{topic.name} cannot be closed: only {CLOSED.name} has bars that close")
    for event in events:
        ends.note(event)
        yield event
    yield from ends.closing()
