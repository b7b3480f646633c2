"""The way of an order as a chain of steps, with the time of each and from each to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

KINDS: Final = ("quote", "bar", "answer", "signal", "command", "request", "decision", "order", "fill", "position")
"""In the order of cause and effect. An order's steps at the venue and its fills come by their times."""
AT_VENUE: Final = frozenset({"order", "fill"})


@dataclass(frozen=True, slots=True)
class Step:
    """One event of the chain."""

    kind: str
    """One of `KINDS`."""
    id: str
    """Empty for a quote, which has none."""
    ts_event_us: int
    ts_ingest_us: int
    """When the chain's first record came in; of a quote, its event time."""
    shown: Mapping[str, Any]
    """The event as people read it."""
    cause: str = ""
    """Id of the event before, as this one names it."""
    number: int = 0
    """Of steps of one kind: their order."""
    quote_us: int | None = None
    """Event time of the quote that a request was made on."""


def chained(steps: Iterable[Step]) -> list[dict[str, Any]]:
    """Return the steps in the order of cause and effect; `after_us` is the event time since the step before, µs."""
    found: list[dict[str, Any]] = []
    before: int | None = None
    for step in sorted(steps, key=_place):
        after = None if before is None else str(step.ts_event_us - before)
        before = step.ts_event_us
        found.append({"kind": step.kind, "id": step.id, "after_us": after, "event": dict(step.shown)})
    return found


def _place(step: Step) -> tuple[int, int, int, int, str]:
    venue = step.kind in AT_VENUE
    rank = KINDS.index("order") if venue else KINDS.index(step.kind)
    return rank, step.ts_event_us if venue else 0, KINDS.index(step.kind), step.number, step.id
