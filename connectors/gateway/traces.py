"""The way of an order: from the quote and the bar over signal, request and decision to its fills and the position.

PostgreSQL has what belongs to orders. Kafka has the market, the signal and the positions, and is searched by the time
at which the chain came in, which all of its records carry as their timestamp. An order by hand has no bar and no
signal: its request comes of the command of a person.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tradewind.connectors.gateway.problems import Problem
from tradewind.connectors.gateway.views.reads import Reads
from tradewind.connectors.gateway.wire import event_for_wire
from tradewind.connectors.health.messages import Searcher
from tradewind.connectors.kafka.errors import StreamError
from tradewind.connectors.registry import RegistryError
from tradewind.connectors.settings import Settings
from tradewind.processors.health.chain import Step, chained
from tradewind.processors.identity import derive_id
from tradewind.processors.portfolio.commanded import BY_HAND
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import US_PER_MS, Event
from tradewind.schemas.execution import SubmitOrder
from tradewind.schemas.market import Bar, Tick
from tradewind.schemas.portfolio import Position
from tradewind.schemas.signals import Signal
from tradewind.topics import BARS, ORDER_COMMANDS, POSITIONS, SIGNALS, TICKS, Topic
from tradewind.topics.partitioner import partition_of

MOST_ORDERS: Final = 20
"""Of one id: a signal of no tenant leads to an order in every account."""
SEARCH_S: Final = 6.0
"""For one event of a topic. It takes milliseconds, but for a topic that has lost the event, or a busy machine."""
AT_ONCE: Final = 2
"""Traces that search Kafka at the same time."""
Wanted = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a topic to look."""

    topic: Topic
    key: str
    """What chooses the partition."""
    ts_ingest_us: int
    backwards: bool = False
    """Whether it came in at that time at the latest, and not at the earliest."""


class Traces:
    """Finds the ways of orders. For one event loop."""

    def __init__(self, settings: Settings, codec: Codec, reads: Reads) -> None:
        self._settings, self._codec, self._reads = settings, codec, reads
        self._free = asyncio.Semaphore(AT_ONCE)

    async def trace(self, tenant_id: str | None, event_id: str) -> dict[str, Any]:
        """Return the orders that an id belongs to, each with its steps in the order of cause and effect.

        Of all tenants where `tenant_id` is None. Raises `Problem`: 404 where no order belongs to the id.
        """
        orders = await self._reads.orders_of(tenant_id, event_id, MOST_ORDERS)
        if not orders:
            raise Problem(
                404,
                "UNKNOWN_ID",
                f"no order belongs to {event_id}",
                "give the id of an order, or of its signal, request, decision, order event or fill; a new one is there "
                "within some seconds",
                pointer="path: id",
            )
        found, trouble = [], None
        async with self._free:
            for order_id in orders:
                steps = await self._reads.steps_of(tenant_id, order_id)
                unread: list[str] = []
                try:
                    steps += await asyncio.to_thread(self._from_kafka, steps, unread)
                    trouble = "; ".join(unread) or trouble
                except (StreamError, RegistryError) as error:
                    trouble = f"quote, bar, signal and position are missing: {error}"
                for signal in [step for step in steps if step.kind == "signal"]:
                    steps += await self._reads.answer_of(tenant_id, derive_id("AiResponse", signal.cause))
                found.append({"order_id": order_id, "steps": chained(steps)})
        return {"id": event_id, "orders": found, "trouble": trouble}

    def _from_kafka(self, steps: Sequence[Step], unread: list[str]) -> list[Step]:
        """Return what led to a request (quote, bar, signal, or a command), and the position after its last fill.

        `unread` gets what was not searched to its end.
        """
        found: list[Step] = []
        for step in steps:
            if step.kind == "request":
                found += self._before(step, unread)
        fills = [step for step in steps if step.kind == "fill"]
        if fills:
            last = fills[-1]
            place = Place(POSITIONS, _instrument(last), last.ts_ingest_us)
            position = self._first(
                place, lambda event: isinstance(event, Position) and event.causation_id == last.id, unread
            )
            found += [_step("position", position)] if position is not None else []
        return found

    def _before(self, request: Step, unread: list[str]) -> list[Step]:
        key, at_us = _instrument(request), request.ts_ingest_us
        quote = self._quote(request, unread)
        if request.shown["deployment"] == BY_HAND:
            place = Place(ORDER_COMMANDS, key, at_us)
            command = self._first(place, lambda event: _has_id(event, SubmitOrder, request.cause), unread)
            return [*([] if command is None else [_step("command", command)]), *quote]
        signal = self._first(Place(SIGNALS, key, at_us), lambda event: _has_id(event, Signal, request.cause), unread)
        found = [] if signal is None else [_step("signal", signal)]
        if isinstance(signal, Signal):
            cause = signal.causation_id
            bar = self._first(Place(BARS, key, at_us), lambda event: _has_id(event, Bar, cause), unread)
            found += [] if bar is None else [_step("bar", bar)]
        return found + quote

    def _quote(self, request: Step, unread: list[str]) -> list[Step]:
        key = _instrument(request)
        quote = self._first(
            Place(TICKS, key, request.ts_ingest_us, backwards=True),
            lambda event: (
                isinstance(event, Tick)
                and event.ts_event == request.quote_us
                and f"{event.symbol}.{event.venue}" == key
            ),
            unread,
        )
        return [] if quote is None else [_step("quote", quote)]

    def _first(self, place: Place, wanted: Wanted, unread: list[str]) -> Event | None:
        """Return the first event from a place on that is wanted; None where the topic keeps none.

        If the search takes too long, `unread` says what is left of it.
        """
        searcher = Searcher(self._settings, self._settings.physical(place.topic))
        number = partition_of(place.key.encode(), place.topic.partitions)

        def takes(message: Any) -> bool:
            event = self._decoded(message)
            return event is not None and wanted(event)

        try:
            bounds = searcher.bounds([number])
            moment_ms = place.ts_ingest_us // US_PER_MS
            reached = searcher.at_time([number], moment_ms + place.backwards, bounds)
            search = searcher.backwards if place.backwards else searcher.forwards
            deadline = time.monotonic() + SEARCH_S
            while True:
                step = search(reached, bounds, takes, 1)
                if step.hits:
                    return self._decoded(step.hits[0])
                if not step.left:
                    return None
                if time.monotonic() > deadline:
                    unread.append(
                        f"{place.topic.name} was searched for {SEARCH_S:.0f} s, {step.left:,} offsets are left"
                    )
                    return None
                reached = step.reached
        finally:
            searcher.close()

    def _decoded(self, message: Any) -> Event | None:
        try:
            return self._codec.decode(message.value() or b"")
        except ValueError:  # somebody else's record
            return None


def _has_id(event: Event, model: type[Event], event_id: str) -> bool:
    return isinstance(event, model) and getattr(event, "event_id", None) == event_id


def _instrument(step: Step) -> str:
    return f"{step.shown['symbol']}.{step.shown['venue']}"


def _step(kind: str, event: Event) -> Step:
    of: Any = event
    ts_ingest = getattr(of, "ts_ingest", of.ts_event)
    cause = getattr(of, "causation_id", "")
    return Step(kind, getattr(of, "event_id", ""), of.ts_event, ts_ingest, event_for_wire(event), cause)
