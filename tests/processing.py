"""What the tests of processors share: small events, random streams of them, real quotes, and the law of cuts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import polars as pl
from days.recorded import EURUSD, WHOLE_EURUSD, WHOLE_XAUUSD, XAUUSD
from hypothesis import strategies as st

from tradewind.processors.batch import Columns, Output, Processor, Rows, Segment, State, events_of
from tradewind.processors.identity import derive_id
from tradewind.processors.signals.deployments import Catalogue
from tradewind.processors.signals.parameters import by_name
from tradewind.processors.signals.processor import signals
from tradewind.processors.signals.questions import Asker
from tradewind.processors.signals.strategy import Strategy
from tradewind.processors.tenancy.known import waits_for_tenants
from tradewind.processors.tenancy.processor import tenancy
from tradewind.processors.tenancy.seed import commands_of
from tradewind.processors.tenancy.tenant import DEFAULT_TENANTS, Tenant
from tradewind.schemas.event import Event
from tradewind.schemas.execution import OrderRequest
from tradewind.schemas.market import Bar, Heartbeat, Mark, Tick
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Deployment
from tradewind.schemas.tenancy import Seeded
from tradewind.testing import MemoryState, columns, cut, rows, run
from tradewind.topics import ORDER_REQUESTS

SECOND = 1_000_000
LEAP = 3600 * SECOND
STEPS = (-3_000_000, -600_000, -400_000, 0, 0, 1, 300_000, 500_000, 1_000_000, 61_000_000, LEAP + 1)
START = 1_398_902_400 * SECOND  # 2014-05-01
LOT = Decimal("1e-10")  # of `request`: any quantity is a multiple of it
INSTRUMENTS = (("EURUSD", "OANDA"), ("XAUUSD", "OANDA"), ("EURUSD", "OTHER"))


def real_quotes(symbol: str, *, whole: bool = False) -> Columns:
    """Return the first hours of a day of real quotes, or the whole day; skips the test where that is absent."""
    files = {"EURUSD": (EURUSD, WHOLE_EURUSD), "XAUUSD": (XAUUSD, WHOLE_XAUUSD)}
    with zipfile.ZipFile(files[symbol][whole].needed()) as archive:
        raw = archive.read(archive.namelist()[0])
    names, kinds = ["ms", "bid", "ask"], {"ms": pl.Float64, "bid": pl.Float64, "ask": pl.Float64}
    read = pl.read_csv(raw, has_header=False, new_columns=names, schema_overrides=kinds)
    midnight = int(datetime(2014, 5, 1, tzinfo=UTC).timestamp()) * SECOND
    count = len(read)
    frame = pl.DataFrame(
        {
            "symbol": [symbol] * count,
            "venue": ["OANDA"] * count,
            "seq": np.arange(count),
            "ts_event": midnight + (read["ms"] * 1000).round().cast(pl.Int64),
            "bid": read["bid"],
            "ask": read["ask"],
            "bid_size": pl.Series([None] * count, dtype=pl.Float64),
            "ask_size": pl.Series([None] * count, dtype=pl.Float64),
        }
    )
    return Columns("market.ticks", 0, Tick, frame, np.arange(count), frame["ts_event"].to_numpy())


def tenant_events(tenants: Iterable[Tenant] = DEFAULT_TENANTS) -> list[Event]:
    """Return what the tenancy agent says of tenants that a first start creates, `Seeded` at its end."""
    return run(tenancy(), commands_of(tenants, 1))


def deployment_events(strategies: Iterable[Strategy], tenants: Iterable[Tenant] = DEFAULT_TENANTS[:1]) -> list[Event]:
    """Return what the tenancy agent says of a deployment of each strategy in each account, `Seeded` at its end."""
    known = by_name(strategies)
    made = run(tenancy(Catalogue(known, ())), commands_of(tenants, 1, known))
    return [event for event in made if isinstance(event, Deployment | Seeded)]


def deployed(
    strategies: Iterable[Strategy], asker: Asker | None = None, tenants: Iterable[Tenant] = DEFAULT_TENANTS[:1]
) -> Processor:
    """Return an agent of signals that has been told of a deployment of each strategy in each account of tenants."""
    known = by_name(strategies)
    told = list(rows(deployment_events(known.values(), tenants)))
    processor = signals(known.values(), asker)

    def process(state: State, segment: Segment) -> Sequence[Output]:
        for before in told:  # what is known already changes nothing
            processor(state, before)
        return processor(state, segment)

    return process


def knowing(processor: Processor, tenants: Iterable[Tenant] = DEFAULT_TENANTS) -> Processor:
    """Return a processor that has been told of tenants before anything else."""
    told = list(rows(tenant_events(tenants)))

    def process(state: State, segment: Segment) -> Sequence[Output]:
        if waits_for_tenants(state):
            for before in told:
                processor(state, before)
        return processor(state, segment)

    return process


def tick(ts_event: int, bid: float = 1.0, ask: float | None = None, **other: Any) -> Tick:
    """Return a quote of EURUSD at OANDA, unless told otherwise."""
    known = {"symbol": "EURUSD", "venue": "OANDA", "seq": 0}
    return Tick(ts_event=ts_event, bid=bid, ask=bid + 0.25 if ask is None else ask, **{**known, **other})


def heartbeat(ts_event: int, *, closing: bool = False, symbol: str = "EURUSD", venue: str = "OANDA") -> Heartbeat:
    """Return a heartbeat of EURUSD at OANDA, unless told otherwise."""
    return Heartbeat(symbol=symbol, venue=venue, ts_event=ts_event, ts_ingest=ts_event, closing=closing)


def passed_on(ts_event: int) -> list[Heartbeat]:
    """Return a heartbeat of EURUSD at OANDA as each partition of risk passes it on."""
    return [replace(heartbeat(ts_event), passed_by=lane) for lane in range(ORDER_REQUESTS.partitions)]


def bar(ts_event: int, close: float = 1.25, *, interval_s: int = 60, symbol: str = "EURUSD", **other: Any) -> Bar:
    """Return a bar of EURUSD at OANDA that closes at a time, unless told otherwise."""
    prices = {f"{side}_{part}": close for side in ("mid", "bid", "ask") for part in ("open", "high", "low", "close")}
    event_id = derive_id("bar", symbol, interval_s, ts_event)
    fields: dict[str, Any] = {
        "event_id": event_id,
        "ts_event": ts_event,
        "ts_ingest": ts_event,
        "correlation_id": event_id,
        "causation_id": event_id,
        "symbol": symbol,
        "venue": "OANDA",
        "interval_s": interval_s,
        "ts_start": ts_event - interval_s * SECOND,
        "ts_end": ts_event,
        "spread_mean": 0.25,
        "count": 1,
        "volume": 0.0,
        "quote_ts": ts_event,
        **prices,
    }
    return Bar(**{**fields, **other})


def mark(ts_event: int, price: str, *, symbol: str = "EURUSD", venue: str = "OANDA") -> Mark:
    """Return a mark of EURUSD at OANDA, unless told otherwise."""
    return Mark(ts_event=ts_event, ts_ingest=ts_event, symbol=symbol, venue=venue, price=Decimal(price))


def request(
    number: int,
    ts_event: int = START,
    *,
    side: str = "BUY",
    quantity: Decimal = Decimal(1000),
    limit_price: Decimal | None = None,
    **other: Any,
) -> OrderRequest:
    """Return a request to buy 1000 EURUSD more for tenant alpha's account main, unless told otherwise."""
    fields: dict[str, Any] = {
        "event_id": derive_id("request", number),
        "tenant_id": "alpha",
        "ts_event": ts_event,
        "ts_ingest": ts_event,
        "correlation_id": "c",
        "causation_id": "s",
        "order_id": f"order-{number}",
        "account_id": "main",
        "symbol": "EURUSD",
        "venue": "OANDA",
        "deployment": "test",
        "mode": "ADD",
        "units": quantity if side == "BUY" else -quantity,
        "lot_size": LOT,
        "min_quantity": LOT,
        "order_type": "MARKET",
        "buy_limit": limit_price,
        "sell_limit": limit_price,
        "time_in_force": "DAY",
        "strategy": "test",
        "signal_id": "s",
        "quote_bid": Decimal("1.00"),
        "quote_ask": Decimal("1.25"),
        "quote_ts": ts_event,
    }
    return OrderRequest(**{**fields, **other})


def decision(
    number: int, ts_event: int = START, outcome: Literal["APPROVED", "DENIED"] = "APPROVED", **other: Any
) -> Decision:
    """Return an approval of `request` with the same fields, unless told otherwise."""
    order = {"side": "BUY", "quantity": Decimal(1000), "limit_price": None}
    order |= {name: other.pop(name) for name in tuple(other) if name in order}
    fields = request(number, ts_event).to_dict()
    codes = () if outcome == "APPROVED" else ("STALE_PRICE",)
    shared = {field.name: fields[field.name] for field in dataclass_fields(Decision) if field.name in fields}
    return Decision(**{**shared, **order, "outcome": outcome, "codes": codes, "reason": "test", **other})


def result(processor: Processor, segments: Iterable[Segment]) -> tuple[list[Event], dict[str, Event]]:
    """Return the events that a processor makes of segments, and its state after them.

    Fails where it changes a value in place that it was given: the runtime could not take that back.
    """
    state, events = MemoryState(), list[Event]()
    for segment in segments:
        before = [(key, value, repr(value)) for key, value in state.values.items()]
        events += events_of(processor(state, segment))
        changed = [key for key, value, said in before if repr(value) != said]
        assert not changed, f"values of {changed} are not what they were: they were changed in place"
    return events, state.values


def assert_law(make: Callable[[], Processor], segments: Sequence[Segment], places: Iterable[int]) -> None:
    """f(a + b) = f(a) ; f(b): the same events and the same state, however the segments are cut."""
    assert result(make(), cut(segments, places)) == result(make(), segments)


def as_columns(segments: Iterable[Segment]) -> list[Segment]:
    """Return ticks as columns, with the stamps and offsets that they had as rows."""
    found: list[Segment] = []
    for segment in segments:
        if isinstance(segment, Rows) and segment.model is Tick:
            frame = columns([event for event in segment.events if isinstance(event, Tick)]).frame
            found.append(Columns(segment.topic, 0, Tick, frame, segment.offsets, segment.ts_ingest))
        else:
            found.append(segment)
    return found


@st.composite
def quote_streams(draw: st.DrawFn, most: int = 60) -> list[Tick | Heartbeat]:
    """Draw ticks of several instruments, out of order and with equal times, with heartbeats among them."""
    clock = {name: START + draw(st.integers(0, 90)) * SECOND for name in INSTRUMENTS}
    events: list[Tick | Heartbeat] = []
    for number in range(draw(st.integers(0, most))):
        name = draw(st.sampled_from(INSTRUMENTS))
        step = draw(
            st.sampled_from(
                (-3_000_000, -600_000, -400_000, 0, 0, 1, 300_000, 500_000, 1_000_000, 61_000_000, LEAP + 1)
            )
        )
        ts_event = max(clock[name] + step, START)
        clock[name] = max(clock[name], ts_event)
        if draw(st.integers(0, 9)) == 0:  # one that goes astray: time does not follow it
            ts_event = clock[name] + draw(st.sampled_from((LEAP, LEAP + 1, 2 * LEAP, 2 * LEAP + 1, 1000 * LEAP)))
        if draw(st.integers(0, 9)) == 0:
            closing = draw(st.integers(0, 3)) == 0
            events.append(heartbeat(ts_event, closing=closing, symbol=name[0], venue=name[1]))
            continue
        bid = draw(st.integers(10_000, 10_400)) / 10_000
        size = draw(st.sampled_from((None, 0.1, 0.3, 1_000_000.0)))
        ask = bid + draw(st.integers(0, 30)) / 10_000
        place = {"symbol": name[0], "venue": name[1], "seq": number}
        events.append(tick(ts_event, bid, ask, bid_size=size, ask_size=draw(st.sampled_from((size, None))), **place))
    return events


def ingested(events: Sequence[Event], topic: str = "market.ticks") -> list[Segment]:
    """Return events as segments whose record timestamps tell the records apart."""
    return list(rows(events, topic, ts_ingest=[1_000 * (number + 1) for number in range(len(events))]))


places = st.lists(st.integers(0, 60), max_size=8)
"""Where to cut a stream."""
