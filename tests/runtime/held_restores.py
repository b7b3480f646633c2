"""An agent with a large state, and workers of their own whose restores stop midway until a test lets them go on.

`python held_restores.py many` is such a worker. It is held in its reading of the changelog, after some records
and for as long as the file `gate(settings)` does not exist; the rest is what all workers do.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message

from runtime import agents
from tradewind.connectors.kafka.client import taken
from tradewind.connectors.settings import Settings
from tradewind.processors.batch import Segment, State, rows_of
from tradewind.schemas.event import Event
from tradewind.schemas.market import Tick
from tradewind.streams.runtime import Agent, Timings
from tradewind.streams.runtime.commit import changelog as changelog_module
from tradewind.streams.runtime.commit.changelog import Changelog
from tradewind.streams.runtime.errors import Superseded
from tradewind.topics import LATE_TICKS, TICKS

KEYS = 6 * 33_334  # so that a sequence and the one so many later are of the same symbol
HELD_AT = 5_000  # records of a restore
LOOK_S = 0.1
HELD = Timings(session_s=3.0, transaction_s=2.0, progress_s=0.3)
"""Whoever is killed is missed soon, and a restore says soon how far it is."""
SUPERSEDED = "a restore was superseded"
log = logging.getLogger(__name__)


def key_of(tick: Tick) -> str:
    """Return the key that a tick is counted under."""
    return f"{tick.symbol}/{tick.seq % KEYS}"


def counted(known: Tick | None, tick: Tick) -> Tick:
    """Return the value of a key with one more tick: `ts_event` is their number, `seq` the sum of their sequences."""
    if known is None:
        return replace(tick, ts_event=1)
    return replace(known, seq=known.seq + tick.seq, ts_event=known.ts_event + 1)


def many(state: State, segment: Segment) -> list[Event]:
    """Count ticks under many keys; pass on those that are not the first of their key."""
    sent: list[Event] = []
    for event in rows_of(segment).events:
        if isinstance(event, Tick):
            known = state.get(key_of(event), Tick)
            state.put(key_of(event), counted(known, event))
            if known is not None:
                sent.append(event)
    return sent


MANY = Agent(name="many", inputs=(TICKS,), outputs=(LATE_TICKS,), processor=many)


def gate(settings: Settings) -> Path:
    """Return the file that lets restores go on."""
    return settings.data / "restores-go-on"


def hold(path: Path) -> None:
    """Have every restore of this process stop after `HELD_AT` records for as long as there is no such file."""
    read_records, read = 0, Changelog._read

    def held(consumer: Consumer, limit: int, wait_s: float) -> list[Message]:
        nonlocal read_records
        if read_records >= HELD_AT and not path.exists():
            time.sleep(LOOK_S)
            return []
        found = taken(consumer, min(limit, HELD_AT), wait_s)
        read_records += len(found)
        return found

    def told(self: Changelog, *of: Any) -> None:
        nonlocal read_records
        read_records = 0
        try:
            read(self, *of)
        except Superseded:
            log.info(SUPERSEDED)
            raise

    changelog_module.taken = held  # type: ignore[attr-defined]
    Changelog._read = told  # type: ignore[method-assign, assignment]


def main(names: Sequence[str]) -> None:
    """Run agents as `agents.py` does."""
    hold(gate(Settings(_env_file=None)))
    agents.AGENTS[MANY.name] = MANY
    agents.main(names)


if __name__ == "__main__":
    main(sys.argv[1:])
