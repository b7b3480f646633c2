"""The orders of one instrument that wait for a quote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import cast

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.schemas.execution import BookState, OpenOrderState, VenueTimeState

BOOK = "book/"


def books(state: State, latency_us: int) -> Iterable[Book]:
    """Return the book of every instrument that ever had an order, by the instrument's name."""
    known = (state.get(key, BookState) for key in tuple(state.keys(BOOK)))
    return [Book(state, of.symbol, of.venue, latency_us) for of in known if of is not None]


class Book:
    """Open orders of an instrument by approval, over the task's state; `keep` writes what changed."""

    def __init__(self, state: State, symbol: str, venue: str, latency_us: int) -> None:
        self._state = state
        self._key = f"{BOOK}{instrument(symbol, venue)}"
        self._time_key = f"time/{instrument(symbol, venue)}"
        self._latency_us = latency_us
        known = state.get(self._key, BookState) or BookState(symbol=symbol, venue=venue, order_ids=())
        self.due = known.due
        """No earlier quote or heartbeat concerns any order, µs; None where none is open."""
        self.closed = known.closed
        """Event time of the newest closing heartbeat, µs."""
        self._known = known
        self._order_ids = list(known.order_ids)

    def orders(self) -> Iterator[OpenOrderState]:
        """Iterate over the open orders; they may be changed and removed meanwhile."""
        for order_id in tuple(self._order_ids):
            yield cast("OpenOrderState", self._state.get(_order_key(order_id), OpenOrderState))

    def eligible_ts(self, order: OpenOrderState) -> int:
        """Return the event time of the first quote that the order can meet, µs."""
        return order.ts_event + self._latency_us

    def concerned_ts(self, order: OpenOrderState) -> int:
        """Return the event time before which nothing concerns the order, µs."""
        eligible_ts = self.eligible_ts(order)
        return eligible_ts if order.expire_ts is None else min(eligible_ts, order.expire_ts)

    def order(self, order_id: str) -> OpenOrderState | None:
        """Return an order of this instrument; None where it is not open."""
        if order_id not in self._order_ids:
            return None
        return self._state.get(_order_key(order_id), OpenOrderState)

    def holds(self, order_id: str) -> bool:
        """Return whether an order is open."""
        return self._state.get(_order_key(order_id), OpenOrderState) is not None

    def add(self, order: OpenOrderState) -> None:
        """Take an order in."""
        concerned_ts = self.concerned_ts(order)
        self.due = concerned_ts if self.due is None else min(self.due, concerned_ts)
        self._order_ids.append(order.order_id)
        self._state.put(_order_key(order.order_id), order)

    def rest(self, order: OpenOrderState) -> None:
        """Note that a quote which the order could have met has passed."""
        self._state.put(_order_key(order.order_id), replace(order, resting=True))

    def remove(self, order: OpenOrderState) -> None:
        """Take an order out that has ended."""
        self._order_ids.remove(order.order_id)
        self._state.delete(_order_key(order.order_id))

    def cancel_ts(self, order: OpenOrderState) -> int:
        """Return the event time of a command that ends an open order now, µs: how far the venue's time has come.

        It is never before the order, whose instrument may have had no quote since, and never after its expiry.
        """
        known = self._state.get(self._time_key, VenueTimeState)
        reached = order.ts_event if known is None else max(order.ts_event, known.ts_event)
        return reached if order.expire_ts is None else max(order.ts_event, min(reached, order.expire_ts))

    def pass_to(self, ts_event: int) -> None:
        """Note that the venue's time has come so far, where an order is open that it matters to."""
        if not self._order_ids:
            return
        known = self._state.get(self._time_key, VenueTimeState)
        if known is None or known.ts_event < ts_event:
            now = VenueTimeState(symbol=self._known.symbol, venue=self._known.venue, ts_event=ts_event)
            self._state.put(self._time_key, now)

    def close(self, ts_event: int) -> None:
        """Note a closing heartbeat."""
        self.closed = ts_event if self.closed is None else max(self.closed, ts_event)

    def keep(self) -> None:
        """Write the book where it changed."""
        if len(self._order_ids) < len(self._known.order_ids):
            self.due = min((self.concerned_ts(order) for order in self.orders()), default=None)
        if self._known.order_ids and not self._order_ids:
            self._state.delete(self._time_key)
        known, order_ids = self._known, tuple(self._order_ids)
        if (order_ids, self.due, self.closed) != (known.order_ids, known.due, known.closed):
            after = BookState(
                symbol=known.symbol, venue=known.venue, order_ids=order_ids, due=self.due, closed=self.closed
            )
            self._state.put(self._key, after)


def _order_key(order_id: str) -> str:
    return f"order/{order_id}"
