"""What a run decides, event by event, and whether another run decides the same."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from typing import Any, Final

import polars as pl

from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.processors.signals.processor import signals as signals_processor
from tradewind.processors.signals.strategy import Strategy
from tradewind.schemas.codec import Codec
from tradewind.schemas.codec.catalog import MODELS
from tradewind.schemas.event import Event
from tradewind.schemas.execution import Fill, OrderEvent, OrderRequest
from tradewind.schemas.notifications import Alert
from tradewind.schemas.portfolio import Position
from tradewind.schemas.risk import Decision
from tradewind.schemas.signals import Signal
from tradewind.streams.backtest.engine import Engine
from tradewind.streams.backtest.errors import BadInput
from tradewind.streams.backtest.run import Plan, tenant_of
from tradewind.streams.backtest.stages import stages

DECIDED: Final = (Signal, OrderRequest, Decision, OrderEvent, Fill, Position, Alert)
"""What is compared, in the order in which one leads to the other."""
MOST_DECISIONS: Final = 1_000_000  # of the run that others are compared with: some 1 GB
DIGEST_BYTES: Final = 16
Key = tuple[str, str]
"""Kind and id."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first decision of a run that another run did not make, or made otherwise."""

    kind: str
    event_id: str
    ts_event: int
    instrument: str
    text: str
    """The fields that differ, or which run lacks the decision."""

    def __str__(self) -> str:
        of = f" of {self.instrument}" if self.instrument else ""
        return f"{self.kind}{of} at {time_to_json(self.ts_event)} ({self.event_id}): {self.text}"


@dataclass(slots=True)
class Decisions:
    """The decisions of one run."""

    events: dict[Key, Event] = field(default_factory=dict)
    digests: dict[Key, bytes] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take what the engine tells. Raises `BadInput` for too many decisions."""
        if not isinstance(event, DECIDED):
            return
        if len(self.events) == MOST_DECISIONS:
            raise BadInput(
                f"the range leads to over {MOST_DECISIONS:,} decisions: give a shorter one by --from and --to"
            )
        key = key_of(event)
        self.events[key], self.digests[key] = event, digest_of(event)

    @property
    def failed(self) -> Alert | None:
        """The alert that the strategy is quarantined, if it is."""
        return next((event for event in self.events.values() if isinstance(event, Alert)), None)

    def of(self, model: type[Event]) -> list[Any]:
        """Return the events of a model, in order."""
        return [event for event in self.events.values() if isinstance(event, model)]

    def first_difference(
        self, others: Iterable[Event], until: int | None = None, *, ingested: bool = True
    ) -> tuple[int, Difference | None]:
        """Return how many decisions were compared, and the first one in event time that differs.

        Only those up to event time `until` count, µs; without `ingested`, `ts_ingest` does not.
        """
        seen: set[Key] = set()
        found: list[tuple[int, int, Difference]] = []
        for other in others:
            if not isinstance(other, DECIDED) or not _counts(other, until):
                continue
            key = key_of(other)
            seen.add(key)
            own = self.events.get(key)
            if own is None:
                found.append(_difference(other, "only the changed run decides it"))
            elif not self._same(own, other, ingested=ingested):
                found.append(_difference(own, _fields(own, other)))
        found += [
            _difference(own, "the changed run does not decide it")
            for key, own in self.events.items()
            if key not in seen and _counts(own, until)
        ]
        first = min(found, key=lambda one: one[:2], default=None)
        return len(seen), None if first is None else first[2]

    def _same(self, own: Any, other: Any, *, ingested: bool) -> bool:
        if not ingested:
            own, other = replace(own, ts_ingest=0), replace(other, ts_ingest=0)
            return digest_of(own) == digest_of(other)
        return self.digests[key_of(own)] == digest_of(other)


def run_on(
    plan: Plan,
    strategy: Strategy,
    blocks: Iterable[pl.DataFrame],
    tell: Callable[[Event], None],
    again: Callable[[], Strategy] | None = None,
) -> Engine:
    """Run a plan with this strategy on blocks of quotes; return the engine.

    With `again`, each block has a strategy of its own, as after a restart: only its memory stays.
    """
    agents = stages(plan.settings, strategy, tenant_of(plan))
    engine = Engine(agents, tell, plan.within.start, plan.warmup)
    for number, block in enumerate(blocks):
        if again is not None and number:
            agents.signals.processor = signals_processor([again()])
        engine.feed(block)
    engine.close()
    return engine


def key_of(event: Any) -> Key:
    """Return what a decision is known by."""
    return type(event).__name__, event.event_id


def digest_of(event: Event) -> bytes:
    """Return a digest of an event's bytes."""
    return blake2b(_codec().encode(event), digest_size=DIGEST_BYTES).digest()


@cache
def _codec() -> Codec:
    return Codec({name: number for number, name in enumerate(MODELS, 1)}, _unknown)


def _unknown(schema_id: int) -> str:
    raise LookupError(f"schema {schema_id}: nothing is decoded here")


def _counts(event: Any, until: int | None) -> bool:
    return until is None or event.ts_event <= until


def _difference(event: Any, text: str) -> tuple[int, int, Difference]:
    names: Sequence[str] = [name for name in ("symbol", "venue") if hasattr(event, name)]
    of = Difference(*key_of(event), event.ts_event, ".".join(getattr(event, name) for name in names), text)
    return event.ts_event, DECIDED.index(type(event)), of


def _fields(own: Event, other: Event) -> str:
    one, two = own.to_dict(), other.to_dict()
    names = [name for name in one if one[name] != two[name] and name != "ts_ingest"]
    return ", ".join(f"{name} {one[name]} became {two[name]}" for name in names) or "ts_ingest differs"
