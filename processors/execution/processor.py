"""Approved orders wait for the quotes that they could have met, and each ends in exactly one final status.

An order made at t meets quotes from t + latency on, until it expires. The runtime holds each tick until every decision
that the tick could fill has arrived (docs/architecture.md, Hold). So the outcome does not depend on which input was
faster. A kill switch cancels the open orders of its tenant or account, and orders that are approved while it is engaged
(docs/halts.md). A cancel ends its order. A closing heartbeat on the ticks expires the orders made up to its time, DAY
and GTD alike. Orders that arrive after it expire at once.
"""

from __future__ import annotations

from operator import itemgetter
from typing import cast

import numpy as np

from tradewind.processors.batch import Micros, PoisonRecord, Processor, Rows, Segment, State, require_known, rows_of
from tradewind.processors.execution.book import Book, books
from tradewind.processors.execution.life import accept, cancel, expire, fill
from tradewind.processors.execution.matching import Match, Offered, QuoteVenue, Venue
from tradewind.processors.market.quotes import Ints, Quotes, quotes_of
from tradewind.processors.tenancy.switches import concerns, keep, stopped, switches_of
from tradewind.schemas.event import Event
from tradewind.schemas.execution import CancelOrder, OpenOrderState
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.risk import Decision, KillSwitch

__all__ = ["Match", "Offered", "Venue", "execution"]

TICKS = "market.ticks"
"""The topic whose heartbeats are the venue's time; those on the decisions run ahead of it, for the runtime's Hold."""
Outcome = tuple[int, Event]
"""Place in the segment of the record that caused an event, and the event."""


def execution(latency_us: int, venue: Venue | None = None) -> Processor:
    """Return the execution agent's processor: decisions, cancels, ticks, heartbeats, switches -> order events, fills.

    `latency_us` is the event time between an order and the first quote that it can meet, at least 1; `venue` fills
    the orders, by the rules of `matching.py` unless given. Raises `ValueError` for a latency below 1 µs: a quote
    would fill the order that it caused. Raises `PoisonRecord` for an approved order of no tenant, and for a decision
    that may approve one and has an outcome, side, type or time in force that is not known.
    """
    if latency_us < 1:
        raise ValueError(
            f"a latency of {latency_us} µs: an order cannot meet the quote that it was made on; use 1 or more"
        )
    fills = venue or QuoteVenue()

    def process(state: State, segment: Segment) -> list[Event]:
        if not len(segment):
            return []
        if segment.model is Tick:
            return _on_ticks(state, segment, latency_us, fills)
        if segment.model is Decision:
            return _on_decisions(state, rows_of(segment), latency_us)
        if segment.model is Heartbeat:
            return _on_heartbeats(state, rows_of(segment), latency_us) if segment.topic == TICKS else []
        if segment.model is KillSwitch:
            return _on_switches(state, rows_of(segment), latency_us)
        if segment.model is CancelOrder:
            return _on_cancels(state, rows_of(segment), latency_us)
        raise TypeError(f"orders meet ticks, and no {segment.model.__name__} ({segment.topic})")

    return process


def _on_decisions(state: State, segment: Rows, latency_us: int) -> list[Event]:
    sent: list[Event] = []
    decisions = cast("list[Decision]", list(segment.events))
    for index, (decision, ts_ingest) in enumerate(zip(decisions, segment.ts_ingest.tolist(), strict=True)):
        if decision.outcome in {"DENIED", "MET"}:
            continue
        require_known(decision, index, "outcome", "side", "order_type", "time_in_force")
        if decision.tenant_id is None:
            raise PoisonRecord(index, f"decision {decision.event_id} approves an order of no tenant")
        book = Book(state, decision.symbol, decision.venue, latency_us)
        if book.holds(decision.order_id):
            continue
        order, accepted = accept(decision, ts_ingest)
        sent.append(accepted)
        halt = stopped(switches_of(state, order.tenant_id, order.account_id))
        if halt is not None:
            sent += cancel(order, order.ts_event, ts_ingest, halt)
            continue
        end = None if book.closed is None else _end(order, book.closed, closing=True)
        if end is None:
            book.add(order)
        else:
            sent += expire(order, *_stamped(end, ts_ingest))
        book.keep()
    return sent


def _on_switches(state: State, segment: Rows, latency_us: int) -> list[Event]:
    sent: list[Event] = []
    commands = cast("list[KillSwitch]", list(segment.events))
    for command, ts_ingest in zip(commands, segment.ts_ingest.tolist(), strict=True):
        keep(state, command)
        if not command.engaged:
            continue
        for book in books(state, latency_us):
            for order in book.orders():
                if not concerns(command, order.tenant_id, order.account_id):
                    continue
                reason = cast("str", stopped(switches_of(state, order.tenant_id, order.account_id)))
                sent += cancel(order, book.cancel_ts(order), ts_ingest, reason)
                book.remove(order)
            book.keep()
    return sent


def _on_cancels(state: State, segment: Rows, latency_us: int) -> list[Event]:
    """Cancel open orders of the tenants that ask for it. An order that has ended, or is another's, stays as it is."""
    sent: list[Event] = []
    commands = cast("list[CancelOrder]", list(segment.events))
    for command, ts_ingest in zip(commands, segment.ts_ingest.tolist(), strict=True):
        book = Book(state, command.symbol, command.venue, latency_us)
        order = book.order(command.order_id)
        if order is None or order.tenant_id != command.tenant_id:
            continue
        sent += cancel(order, book.cancel_ts(order), ts_ingest, command.reason)
        book.remove(order)
        book.keep()
    return sent


def _on_heartbeats(state: State, segment: Rows, latency_us: int) -> list[Event]:
    sent: list[Event] = []
    heartbeats = cast("list[Heartbeat]", list(segment.events))
    for heartbeat, ts_ingest in zip(heartbeats, segment.ts_ingest.tolist(), strict=True):
        book = Book(state, heartbeat.symbol, heartbeat.venue, latency_us)
        if heartbeat.closing:
            book.close(heartbeat.ts_event)
        elif book.due is None:
            continue
        for order in book.orders():
            end = _end(order, heartbeat.ts_event, closing=heartbeat.closing)
            if end is not None:
                sent += expire(order, *_stamped(end, ts_ingest))
                book.remove(order)
        book.pass_to(heartbeat.ts_event)
        book.keep()
    return sent


def _end(order: OpenOrderState, ts_event: int, *, closing: bool) -> tuple[int, str] | None:
    """Return (event time, reason) of an order's end when time has reached ts_event; None where it stays open."""
    if order.expire_ts is not None and order.expire_ts <= ts_event:
        return order.expire_ts, "not filled by its expiry"
    if closing and order.ts_event <= ts_event:
        return ts_event, "the source of quotes ended"
    return None


def _stamped(end: tuple[int, str], ts_ingest: int) -> tuple[int, int, str]:
    ts_event, reason = end
    return ts_event, ts_ingest, reason


def _on_ticks(state: State, segment: Segment, latency_us: int, venue: Venue) -> list[Event]:
    quotes = quotes_of(segment)
    outcomes: list[Outcome] = []
    for symbol, venue_name, rows in quotes.each():
        book = Book(state, symbol, venue_name, latency_us)
        if book.due is None:
            continue
        meeting = _Meeting(quotes, rows)
        if meeting.newest >= book.due:
            for order in book.orders():
                if meeting.newest >= book.concerned_ts(order):
                    outcomes += _match(order, book, venue, meeting, segment.ts_ingest)
        book.pass_to(meeting.newest)
        book.keep()
    # Stable: what one quote causes stays in the order of the orders' approval.
    return [event for _, event in sorted(outcomes, key=itemgetter(0))]


class _Meeting:
    """The quotes of one instrument in a segment, as its orders meet them."""

    def __init__(self, quotes: Quotes, rows: slice) -> None:
        self._quotes, self._rows = quotes, rows
        self._times = quotes.ts_event[rows]
        self._reached = np.maximum.accumulate(self._times)
        self._rises = len(self._times) == 1 or bool((self._times == self._reached).all())
        self._offered: dict[tuple[int, int], Offered] = {}
        self.newest = int(self._reached[-1])
        """The latest event time, µs."""

    def __len__(self) -> int:
        return len(self._times)

    def first(self, ts_event: int) -> int:
        """Return the place of the first quote that is not before a time; the end if there is none."""
        return int(self._reached.searchsorted(ts_event))

    def offered(self, first: int, end: int, eligible_ts: int) -> tuple[Offered, Ints | None]:
        """Return those of the quotes from `first` up to `end` that are not before a time, and their places.

        The places are None if all quotes are among them.
        """
        if not self._rises:
            places = first + np.flatnonzero(self._times[first:end] >= eligible_ts)
            rows = self._rows.start + places
            return Offered(self._quotes.bid[rows], self._quotes.ask[rows]), places
        found = self._offered.get((first, end))
        if found is None:
            own = slice(self._rows.start + first, self._rows.start + end)
            found = self._offered[first, end] = Offered(self._quotes.bid[own], self._quotes.ask[own])
        return found, None

    def quote(self, place: int) -> tuple[int, int, int]:
        """Return a quote's place in the segment, its event time, and its sequence."""
        row = self._rows.start + place
        return int(self._quotes.index[row]), int(self._quotes.ts_event[row]), int(self._quotes.seq[row])


def _match(order: OpenOrderState, book: Book, venue: Venue, meeting: _Meeting, ts_ingest: Micros) -> list[Outcome]:
    """Offer an instrument's quotes to an order; return the resulting events, and change the book."""
    end = len(meeting) if order.expire_ts is None else meeting.first(order.expire_ts)
    eligible_ts = book.eligible_ts(order)
    first = meeting.first(eligible_ts)
    if first < end:
        offered, places = meeting.offered(first, end, eligible_ts)
        match = venue.match(order, offered)
        if match is not None:
            at, ts_event, seq = meeting.quote(first + match.place if places is None else int(places[match.place]))
            book.remove(order)
            return [(at, event) for event in fill(order, match, ts_event, seq, int(ts_ingest[at]))]
    if end < len(meeting):
        at, _, _ = meeting.quote(end)
        book.remove(order)
        stamped = _stamped((cast("int", order.expire_ts), "not filled by its expiry"), int(ts_ingest[at]))
        return [(at, event) for event in expire(order, *stamped)]
    if first < end and not order.resting:
        book.rest(order)
    return []
