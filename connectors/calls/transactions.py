"""The transactions of a caller: what a step claims and what came of calls, as records of one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

from tradewind.connectors.calls.book import Step
from tradewind.connectors.calls.call import Ending, Unsent
from tradewind.connectors.calls.claims import Claims, Mark, Output, Written
from tradewind.connectors.calls.kind import Kind
from tradewind.connectors.settings import Settings
from tradewind.connectors.telemetry.trace_context import as_traced, headers
from tradewind.schemas.codec import Codec
from tradewind.schemas.event import US_PER_MS
from tradewind.schemas.runtime import CallMarks
from tradewind.topics import Topic
from tradewind.topics.partitioner import partition_of


class Transactions:
    """Writes the steps of one caller. `records` may be called by any thread, `open` and `write` by one alone."""

    def __init__(
        self,
        settings: Settings,
        kind: Kind,
        codec: Codec,
        clock: Callable[[], int],
        *,
        caller: str,
        marks: Topic,
        transaction_s: float,
    ) -> None:
        """Write for a caller by its name, whose marks have a topic of their own; `clock` gives µs since 1970."""
        self._settings, self._kind, self._codec, self._clock = settings, kind, codec, clock
        self._caller, self._marks, self._transaction_s = caller, marks, transaction_s
        self._marks_name, self._attempts_name = settings.physical(marks), settings.physical(kind.attempts)
        self._id = f"{settings.physical(f'tradewind.{caller}')}.{uuid4().hex}"
        self._claims: Claims | None = None

    def open(self) -> None:
        """Open a producer, always under the same id: that ends the transaction of the one before, if it is in doubt."""
        self._claims = Claims(self._settings, self._id, self._transaction_s).__enter__()

    def records(self, step: Step) -> list[Output]:
        """Return the records of a step: its endings, and the marks that are committed with them."""
        outputs = [self._attempt(ending) for ending in step.endings]
        return outputs + [self._mark(partition, mark) for (_, partition), mark in step.marks.items()]

    def write(self, step: Step, records: Sequence[Output]) -> Written:
        """Write a step with its records. Raises as `Claims.write` does; then `open` is what comes next."""
        assert self._claims is not None, "open comes first"
        return self._claims.write(step.lease, step.marks, records)

    def outcome(self, ending: Ending) -> str:
        """Return the name of what came of a call, for metrics."""
        return ending.how.value if isinstance(ending.how, Unsent) else self._kind.outcome(ending.how)

    def _attempt(self, ending: Ending) -> Output:
        how = ending.how
        event = self._kind.unsent(ending.call.event, how, self._clock()) if isinstance(how, Unsent) else how
        topic = self._kind.attempts
        key = topic.key(event).encode()
        traced = as_traced(event)
        return Output(
            self._attempts_name,
            partition_of(key, topic.partitions),
            key,
            self._codec.encode(event),
            traced.ts_ingest // US_PER_MS,
            headers(traced),
        )

    def _mark(self, partition: int, mark: Mark) -> Output:
        marks = CallMarks(
            caller=self._caller,
            topic=self._kind.calls.name,
            partition=partition,
            offset=mark.offset,
            marks=mark.metadata,
        )
        key = self._marks.key(marks).encode()
        return Output(self._marks_name, partition, key, self._codec.encode(marks), self._clock() // US_PER_MS)
