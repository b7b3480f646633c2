"""What the agents of the contract do."""

from __future__ import annotations

import math
from dataclasses import replace

from runtime.records import INGEST_MS, NO_PRICE

from tradewind.processors.batch import PoisonRecord, Segment, State, rows_of
from tradewind.processors.identity import derive_id
from tradewind.processors.money import money_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Heartbeat, Tick
from tradewind.schemas.notifications import Alert
from tradewind.schemas.risk import KillSwitch

TOO_LARGE = "x" * 1_100_000
MARK = 1_000
HALF = "\ud800"  # of a surrogate pair: Python has it as text, UTF-8 has not
UNUSABLE = {
    2.0: "ZeroDivisionError: float division by zero",
    3.0: "InvalidOperation: ",
    4.0: "TooLarge: a Alert for values.notifications.alerts takes 1,100,",
    5.0: "EncodeError: tradewind.notifications.Alert.message: ",
    6.0: "EncodeError: tradewind.market.Heartbeat.symbol: ",
    7.0: "TooLarge: state 'large' takes 1,100,",
    8.0: "ValueError: '@position': keys that begin with @ belong to the runtime",
    9.0: "UnicodeEncodeError: ",
}
"""Bids that `valued` cannot stand, and how the reasons of their dead letters begin."""
SWITCH = KillSwitch(
    event_id=derive_id("switch"),
    tenant_id="alpha",
    ts_event=1,
    ts_ingest=INGEST_MS * 1000,
    correlation_id=derive_id("switch"),
    causation_id=derive_id("switch"),
    engaged=True,
    reason="a test",
)


def tick(seq: int, *, symbol: str = "EURUSD", bid: float = 1.0, ts_event: int | None = None) -> Tick:
    """Return a quote."""
    at = seq if ts_event is None else ts_event
    return Tick(symbol=symbol, venue="T", seq=seq, ts_event=at, bid=bid, ask=bid + 0.25)


def beat(ts_event: int, symbol: str = "EURUSD") -> Heartbeat:
    """Return a heartbeat, whose own time of arrival is another than its record's."""
    return Heartbeat(symbol=symbol, venue="T", ts_event=ts_event, ts_ingest=(INGEST_MS + 5) * 1000)


def pass_on(state: State, segment: Segment) -> list[Event]:
    """Send what comes, in the order in which it comes."""
    return list(rows_of(segment).events)


def marked(state: State, segment: Segment) -> list[Event]:
    """Pass on ticks, with `MARK` added to the sequences of those that come after a switch."""
    events = list(rows_of(segment).events)
    if any(isinstance(event, KillSwitch) for event in events):
        state.put("switched", beat(1))
    add = 0 if state.get("switched", Heartbeat) is None else MARK
    return [replace(event, seq=event.seq + add) for event in events if isinstance(event, Tick)]


def total(state: State, segment: Segment) -> list[Event]:
    """Pass on each tick, then, as a heartbeat's time, the sum of its symbol's sequences so far.

    Sequence 13 forgets the symbol, and tells all sums that are known. A tick without a price is poison, after it was
    added up.
    """
    sent: list[Event] = []
    for at, event in enumerate(rows_of(segment).events):
        if not isinstance(event, Tick):
            continue
        sent.append(event)
        if event.seq == 13:
            state.delete(f"sum/{event.symbol}")
            sent += [known for key in state.keys("sum/") if (known := state.get(key, Heartbeat)) is not None]
            continue
        known = state.get(f"sum/{event.symbol}", Heartbeat)
        before = 0 if known is None else known.ts_event
        now = replace(beat(before + event.seq, event.symbol), ts_ingest=(INGEST_MS + event.seq) * 1000)
        state.put(f"sum/{event.symbol}", now)
        sent.append(now)
        if event.bid == NO_PRICE:
            raise PoisonRecord(at, f"no price in {event.seq}")
    return sent


def listed(state: State, segment: Segment) -> list[Event]:
    """Pass on ticks of symbols that a heartbeat has named before; others are poison."""
    sent: list[Event] = []
    for at, event in enumerate(rows_of(segment).events):
        if isinstance(event, Heartbeat):
            state.put(event.symbol, event)
        elif isinstance(event, Tick):
            if state.get(event.symbol, Heartbeat) is None:
                raise PoisonRecord(at, f"{event.symbol} is not listed")
            sent.append(event)
    return sent


def broken(state: State, segment: Segment) -> list[Event]:
    """Add up, but for a bid of 7, which is a bug: another part of it is at fault, not the bid."""
    sent = total(state, segment)
    if any(isinstance(event, Tick) and event.bid == 7 for event in rows_of(segment).events):
        raise KeyError("a bid of 7")
    return sent


def uncarried(state: State, segment: Segment) -> list[Event]:
    """Add up, and send a kill switch for a bid of 7, which no output carries."""
    found = total(state, segment)
    return [SWITCH if isinstance(event, Tick) and event.bid == 7 else event for event in found]


def _alert(message: str) -> Alert:
    return Alert(
        event_id=derive_id("alert"),
        ts_event=1,
        ts_ingest=INGEST_MS * 1000,
        correlation_id=derive_id("alert"),
        causation_id=derive_id("alert"),
        severity="INFO",
        source="test",
        code="TEST",
        message=message,
    )


def valued(state: State, segment: Segment) -> list[Event]:
    """Add up, where some bids cannot be computed with, encoded, sent or kept."""
    sent = total(state, segment)
    for event in rows_of(segment).events:
        if isinstance(event, Tick) and event.bid in UNUSABLE:
            sent += _unusable(state, event)
    return sent


def _unusable(state: State, event: Tick) -> list[Event]:
    match event.bid:
        case 2.0:
            money_of(1 / (event.bid - 2))
        case 3.0:
            money_of(math.inf)
        case 4.0:
            return [_alert(TOO_LARGE)]
        case 5.0:
            return [_alert(HALF)]
        case 6.0:
            state.put("half", beat(1, HALF))
        case 7.0:
            state.put("large", beat(1, TOO_LARGE))
        case 8.0:
            state.put("@position", event)
        case 9.0:
            raise UnicodeEncodeError("ascii", HALF, 0, 1, HALF)  # what it says cannot be encoded either
    return []
