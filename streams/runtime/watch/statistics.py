"""What one transaction did and how long it took: filled in by the thread that runs it, read once by the observer."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tradewind.connectors.telemetry.trace_context import Traced
from tradewind.processors.batch import Columns, Segment
from tradewind.schemas.event import Event

if TYPE_CHECKING:
    from tradewind.streams.runtime.commit.outbox import Draft
    from tradewind.streams.runtime.lease import TopicPartition
    from tradewind.streams.runtime.work.hold import Wait
    from tradewind.streams.runtime.work.task import Task


@dataclass(frozen=True, slots=True)
class TaskSize:
    """What a task holds after a batch."""

    keys: int
    """Values of its committed state."""
    held: int
    """Records that are held."""
    held_ms: int | None
    """Timestamp of the first of them, ms."""
    released_ms: int | None
    """Timestamp of the first held record that the batch let go, ms."""
    wait: Wait | None = None
    """What the first record that is held waits for."""
    waits: str = ""
    """Why the task processes nothing but broadcast inputs, in words; empty where it goes on."""


@dataclass(slots=True)
class BatchStatistics:
    """What one transaction did, and when."""

    begun_s: float = field(default_factory=time.monotonic)
    processed_s: float | None = None
    """When all of it was processed, monotonic; None where that failed."""
    ended_s: float = 0.0
    sent: int = 0
    letters: Mapping[str, int] = field(default_factory=dict)
    """Dead letters by kind."""
    offsets: Mapping[TopicPartition, int] = field(default_factory=dict)
    """Where the group goes on."""
    sizes: Mapping[int, TaskSize] = field(default_factory=dict)
    """By partition."""
    latest: tuple[Segment | None, ...] = ()
    """What each task processed last."""
    traced: tuple[Traced, ...] = ()
    """The events that were sent and belong to a chain; kept only where somebody asked for traces."""
    origins: Mapping[str, Event] = field(default_factory=dict)
    """The events that chains of those begin with, by their ids, where the batch was given them."""

    def note_processed(self) -> None:
        """Note that all is processed, and is now sent."""
        self.processed_s = time.monotonic()

    def note_end(self) -> None:
        """Note that the transaction has ended."""
        self.ended_s = time.monotonic()

    def note_commit(self, tasks: Iterable[Task], draft: Draft, *, traces: bool) -> None:
        """Take over what the commit has made true."""
        self.sent, self.letters, self.offsets = len(draft.messages), draft.letters, draft.offsets
        tasks = tuple(tasks)
        self.sizes = {task.partition: task.size() for task in tasks}
        self.latest = tuple(task.latest for task in tasks)
        if traces:
            self.traced = tuple(out.traced for out in draft.messages if out.traced is not None)
            self.origins = draft.origins or {}

    def newest_us(self) -> tuple[int, int] | None:
        """Return (ts_event, ts_ingest), µs, of the newest event; None where events have no time."""
        return _newest(self.latest)


def _newest(segments: Iterable[Segment | None]) -> tuple[int, int] | None:
    """Return (ts_event, ts_ingest), µs, of the last event of the segment that came in last."""
    found = [segment for segment in segments if segment is not None and len(segment)]
    if not found:
        return None
    segment = max(found, key=lambda one: int(one.ts_ingest[-1]))
    if isinstance(segment, Columns):
        times = segment.frame.get_column("ts_event", default=None)
        ts_event = None if times is None else times[-1]
    else:
        ts_event = getattr(segment.events[-1], "ts_event", None)
    return None if ts_event is None else (int(ts_event), int(segment.ts_ingest[-1]))
