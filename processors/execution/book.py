"""The orders of one instrument that wait for a quote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from tradewind.processors.batch import State
from tradewind.processors.identity import instrument
from tradewind.schemas.execution import BookState, OpenOrderState


class Book:
    """Open orders of an instrument by approval, over the task's state; `keep` writes what changed."""

    def __init__(self, state: State, symbol: str, venue: str, latency_us: int) -> None:
        self._state = state
        self._key = f"book/{instrument(symbol, venue)}"
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

    def close(self, ts_event: int) -> None:
        """Note a closing heartbeat."""
        self.closed = ts_event if self.closed is None else max(self.closed, ts_event)

    def keep(self) -> None:
        """Write the book where it changed."""
        if len(self._order_ids) < len(self._known.order_ids):
            self.due = min((self.concerned_ts(order) for order in self.orders()), default=None)
        after = replace(self._known, order_ids=tuple(self._order_ids), due=self.due, closed=self.closed)
        if after != self._known:
            self._state.put(self._key, after)


def _order_key(order_id: str) -> str:
    return f"order/{order_id}"
