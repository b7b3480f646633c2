"""What a feed has written, by one process at a time: records and the position after them, once, whatever happens.

Opening the producer shuts out an earlier process. That one cannot tell being shut out from having been too slow; so
who opens it signs the position at once, and who lost its producer looks for another's signature before it opens a new
one. Otherwise two processes would shut each other out in turn.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self, TypeVar
from uuid import uuid4

from tradewind.connectors.feeds.feed import FeedError
from tradewind.connectors.feeds.publishing.encoding import event_run
from tradewind.connectors.feeds.publishing.progress import Progress, last_progress
from tradewind.connectors.kafka.errors import BrokerUnavailable, NotDelivered, ProducerLost
from tradewind.connectors.kafka.producer import Run, Transactions
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.topics import FEED_POSITIONS

RECOVERY_S = 120.0  # a broker that was killed is back in 13 s; one that is moved, within this
YIELD_S = 1.0  # for whoever shut this process out to sign: between opening and signing lie some 100 ms
LOST = (ProducerLost, BrokerUnavailable, NotDelivered)
"""After these only the position that Kafka keeps tells what is written."""

T = TypeVar("T")


class FeedTakenOver(FeedError):
    """Another process publishes the same feed."""


@dataclass(slots=True)
class FeedLog:
    """The records of one feed; `progress` is what is surely written."""

    settings: Settings
    codec: Codec
    feed: str
    source: str
    progress: Progress = field(default_factory=Progress, init=False)
    _owner: str = field(default_factory=lambda: uuid4().hex, init=False)
    _transactions: Transactions = field(init=False)

    def __enter__(self) -> Self:
        """Take the feed over; raises `SourceChanged` and `StreamError`."""
        self._transactions = self._opened()
        deadline = time.monotonic() + RECOVERY_S
        while True:
            self.progress = self._kept()
            if self.progress.finished and not self.progress.published:
                self.progress = Progress()  # nothing can be published twice, and the report shows again what was wrong
            if self.progress.finished:
                return self
            signed = replace(self.progress, owner=self._owner)
            try:
                self._transactions.write(self._records((), signed))
            except LOST:
                if time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0, YIELD_S))  # noqa: S311 - two that start at once must not go in step
                self._patiently(self._reopen, deadline)
            else:
                self.progress = signed
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transactions.__exit__(kind, error, trace)

    def write(self, runs: Sequence[Run], after: Progress) -> None:
        """Write records and the progress after them, once; raises `FeedTakenOver` and `StreamError`."""
        records = self._records(runs, after)
        deadline = time.monotonic() + RECOVERY_S
        while True:
            try:
                self._transactions.write(records)
            except LOST as error:
                if time.monotonic() > deadline:
                    raise
                if isinstance(error, ProducerLost):
                    time.sleep(YIELD_S)
                    self._expect_own(self._patiently(self._kept, deadline))
                if self._is_written(after, deadline):
                    break
            else:
                break
        self.progress = after

    def _is_written(self, after: Progress, deadline: float) -> bool:
        """Open a new producer, which settles what the last one left, and see what was kept."""
        self._patiently(self._reopen, deadline)
        while True:
            kept = self._patiently(self._kept, deadline)
            self._expect_own(kept)
            if kept == after or kept == self.progress:  # noqa: PLR1714 - they have no hash
                return kept == after
            # Older than what was committed before: a broker that has just come back may end a topic before its end.
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"feed {self.feed} has a position that this process signed and did not write: {kept}"
                )
            time.sleep(YIELD_S)

    def _patiently(self, call: Callable[[], T], deadline: float) -> T:
        """Call again while there is no answer: a broker may come up just when this one looks."""
        while True:
            try:
                return call()
            except BrokerUnavailable:
                if time.monotonic() > deadline:
                    raise

    def _expect_own(self, kept: Progress) -> None:
        if kept.owner != self._owner:
            raise FeedTakenOver(
                f"feed {self.feed} is being published by another process, which has read {kept.position.record:,} "
                f"records of {self.source}; this one ends"
            )

    def _records(self, runs: Sequence[Run], after: Progress) -> list[Run]:
        event = after.to_event(self.feed, self.source)
        return [*runs, event_run(self.codec, self.settings, FEED_POSITIONS, event)]

    def _kept(self) -> Progress:
        return last_progress(self.settings, self.codec, self.feed, self.source)

    def _reopen(self) -> None:
        self._transactions.__exit__(None, None, None)
        self._transactions = self._opened()

    def _opened(self) -> Transactions:
        return Transactions(self.settings, self.settings.physical(f"feed.{self.feed}")).__enter__()
