"""Agents whose results can be counted: run in a test, or `python agents.py NAME...` as a worker of its own."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from runtime.records import NO_PRICE, offline_codec
from runtime.timings import given
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Columns, PoisonRecord, Segment, State, rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.runtime import Agent, Hold, run_agents
from tradewind.topics import BARS, DECISIONS, LATE_TICKS, TICKS

SLOW_S = 0.002  # per segment of the slow agent, so that a kill meets work in hand


def relay(state: State, segment: Segment) -> list[Event]:
    """Pass every tick on, and count: a tick that came twice, or not, shows in outputs and in state."""
    add_up(state, segment)
    return [event for event in rows_of(segment).events if isinstance(event, Tick)]


def add_up(state: State, segment: Segment) -> list[Event]:
    """Keep, for each symbol, the number of ticks (as `ts_event`) and the sum of their sequences (as `seq`)."""
    if segment.model is not Tick:
        return []
    frame = (
        segment.frame if isinstance(segment, Columns) else pl.DataFrame([event.to_dict() for event in segment.events])
    )
    for symbol, count, total in frame.group_by("symbol").agg(pl.len(), pl.col("seq").sum()).sort("symbol").iter_rows():
        known = state.get(symbol, Tick) or Tick(symbol=symbol, venue="SUM", seq=0, ts_event=0, bid=0.0, ask=0.0)
        state.put(symbol, replace(known, seq=known.seq + total, ts_event=known.ts_event + count))
    return []


def slow_relay(state: State, segment: Segment) -> list[Event]:
    """Relay, slowly."""
    time.sleep(SLOW_S)
    return relay(state, segment)


def picky_relay(state: State, segment: Segment) -> list[Event]:
    """Relay, where a tick without a price is poison."""
    add_up(state, segment)
    rows = rows_of(segment)
    for at, event in enumerate(rows.events):
        if isinstance(event, Tick) and event.bid == NO_PRICE:
            raise PoisonRecord(at, "no price")
    return [event for event in rows.events if isinstance(event, Tick)]


def broken(state: State, segment: Segment) -> list[Event]:
    """Relay until sequence 500, which it cannot stand."""
    rows = rows_of(segment)
    if any(isinstance(event, Tick) and event.seq == 500 for event in rows.events):
        raise RuntimeError("sequence 500")
    return relay(state, segment)


def in_order(state: State, segment: Segment) -> list[Event]:
    """Pass on what comes, ticks and heartbeats, in the order in which it comes."""
    return list(rows_of(segment).events)


def unsorted_relay(state: State, segment: Segment) -> list[Event]:
    """Relay the last tick of each symbol, in an order that Python makes up anew in each process."""
    last = {event.symbol: event for event in rows_of(segment).events if isinstance(event, Tick)}
    return [last[symbol] for symbol in set(last)]


AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (
        Agent(name="relay", inputs=(TICKS,), outputs=(LATE_TICKS,), processor=relay),
        Agent(name="slow", inputs=(TICKS,), outputs=(LATE_TICKS,), processor=slow_relay, batch_limit=500),
        Agent(name="picky", inputs=(TICKS,), outputs=(LATE_TICKS,), processor=picky_relay),
        Agent(name="broken", inputs=(TICKS,), outputs=(LATE_TICKS,), processor=broken, batch_limit=100),
        Agent(name="unsorted", inputs=(TICKS,), outputs=(LATE_TICKS,), processor=unsorted_relay),
        Agent(name="sums", inputs=(LATE_TICKS,), outputs=(), processor=add_up),
        Agent(name="count", inputs=(TICKS,), outputs=(), processor=add_up),
        Agent(
            name="holding",
            inputs=(TICKS, DECISIONS),
            outputs=(LATE_TICKS, BARS),
            processor=in_order,
            hold=Hold(topic=TICKS, until=DECISIONS, lookahead_us=1000),
        ),
    )
}


def main(names: Sequence[str]) -> None:
    """Run agents with settings from the environment until SIGTERM; say when they are ready."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s.%(msecs)03d %(name)s %(levelname)s %(message)s", datefmt="%T"
    )
    ready: Callable[[], None] = lambda: print("ready", flush=True)  # noqa: E731
    agents = [AGENTS[name] for name in names]
    asyncio.run(run_agents(agents, Settings(_env_file=None), offline_codec(), on_ready=ready, timings=given()))


if __name__ == "__main__":
    main(sys.argv[1:])
