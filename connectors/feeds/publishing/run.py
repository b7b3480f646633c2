"""Publish a feed exactly once: a block and the position after it are one transaction; a restart goes on from there.

How one process owns a feed, and what it does when Kafka fails, stands in `feed_log.py`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

import polars as pl

from tradewind.connectors.feeds.feed import Block, Feed, Kind, Rejection, with_kinds
from tradewind.connectors.feeds.publishing.encoding import (
    block_runs,
    event_run,
    first_times,
    heartbeat,
    last_times,
    news_runs,
)
from tradewind.connectors.feeds.publishing.feed_log import FeedLog
from tradewind.connectors.feeds.publishing.pace import BLOCK_RECORDS, Pace
from tradewind.connectors.feeds.publishing.prefetch import Ended, Prefetch
from tradewind.connectors.feeds.publishing.progress import Reached, reached_by_others
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.ends import closing_ts
from tradewind.connectors.kafka.json_events import time_to_json
from tradewind.connectors.kafka.producer import Run
from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.market import Heartbeat
from tradewind.topics import FEED_POSITIONS, NEWS, TICKS, TRADES

REPORTED_LINES = 100  # rejected lines that a report quotes; all are counted
STEP_S = 0.2  # how soon a wait sees that the feed is stopped
SILENCE_US = 1_000_000  # of an instrument of a live feed, after which a heartbeat says that time goes on


@dataclass(frozen=True, slots=True)
class FeedReport:
    """What a run has published so far."""

    feed: str
    position: int
    """Records of the source that were read, from its beginning."""
    published: int = 0
    """Ticks, trades and news of this run; heartbeats are not counted."""
    rejected: int = 0
    skipped: int = 0
    rejections: tuple[Rejection, ...] = ()
    """The first `REPORTED_LINES` of the rejected ones."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """The skipped ones by kind, where the feed tells kinds."""
    late: int = 0
    """Ticks of this run before what another feed had published of their instrument: they make no bars."""
    late_after: str = ""
    """What that was."""
    published_before: int = 0
    """By earlier runs, which this one went on from."""
    rejected_before: int = 0
    ts_event: int = 0
    seconds: float = 0.0
    finished: bool = False
    already: bool = False
    """The source was published whole before this run, which published nothing."""

    def after(self, block: Block) -> FeedReport:
        """Return the report with a block that was published."""
        return replace(
            self,
            position=block.next.record,
            published=self.published + block.published,
            rejected=self.rejected + block.rejected_count,
            skipped=self.skipped + block.skipped,
            rejections=(*self.rejections, *block.rejected)[:REPORTED_LINES],
            kinds=with_kinds(self.kinds, block.kinds),
        )

    @property
    def failure(self) -> str | None:
        """Why this is no success: nothing was published, or less than was rejected; None where neither is so."""
        published, rejected = self.published + self.published_before, self.rejected + self.rejected_before
        if published == 0 and self.finished:
            return f"nothing was published: {self._instead(rejected)}"
        if rejected > published:
            return f"more was rejected ({rejected:,}) than published ({published:,}){self._cause()}"
        return None

    def _instead(self, rejected: int) -> str:
        parts = []
        if rejected:
            parts.append(f"{rejected:,} of {self.position:,} records were rejected{self._cause()}")
        if self.skipped:
            kinds = ", ".join(f"{name} {kind.count:,}" for name, kind in self.kinds.items())
            parts.append(f"{self.skipped:,} are neither quotes nor trades" + (f" ({kinds})" if kinds else ""))
        return "; ".join(parts) or "the source is empty"

    def _cause(self) -> str:
        """Return the reason that most of the quoted lines have; reasons differ by what they quote after a colon."""
        if not self.rejections:
            return ""
        ((common, _),) = Counter(one.reason.partition(": '")[0] for one in self.rejections).most_common(1)
        first = next(one for one in self.rejections if one.reason.startswith(common))
        return f", most of them like line {first.line:,}: {first.reason}"


def run_feed(
    feed: Feed,
    settings: Settings,
    *,
    speed: float | None = None,
    stop: Event | None = None,
    on_progress: Callable[[FeedReport], None] | None = None,
    block_records: int = BLOCK_RECORDS,
) -> FeedReport:
    """Publish a feed from where it was left to its end, or until `stop` is set; returns what this run did.

    `speed` is how many times faster than event time; None is as fast as it goes. A live feed has its own pace. Raises
    `FeedError` and `StreamError`; what was published until then stays, and the next run goes on after it.
    """
    codec = open_codec(settings, PATIENT_ATTEMPTS)  # first: a registry that refuses the schemas leaves Kafka as it is
    ensure(settings, (TICKS, TRADES, NEWS, FEED_POSITIONS))
    started = time.monotonic()
    with FeedLog(settings, codec, feed.name, feed.source) as log:
        publisher = _Publisher(feed, settings, Pace(speed, feed.live, block_records), codec, log, started)
        publisher.run(stop or Event(), on_progress or (lambda _: None))
        return publisher.report


@dataclass(slots=True)
class _Publisher:
    feed: Feed
    settings: Settings
    pace: Pace
    codec: Codec
    log: FeedLog
    started: float
    report: FeedReport = field(init=False)
    reached: Mapping[tuple[str, str], Reached] = field(default_factory=dict, init=False)
    """How far other feeds had published, when this one began."""

    def __post_init__(self) -> None:
        before = self.log.progress
        self.report = FeedReport(
            self.feed.name,
            before.position.record,
            ts_event=before.ts_event,
            finished=before.finished,
            already=before.finished,
            published_before=before.published,
            rejected_before=before.rejected,
        )

    def run(self, stop: Event, on_progress: Callable[[FeedReport], None]) -> None:
        """Publish until the source ends or `stop` is set."""
        if self.log.progress.finished:
            return
        if not self.feed.live:
            self.reached = reached_by_others(self.settings, self.codec, self.feed.name)
        blocks = self.feed.read(self.log.progress.position, self.pace.bounds)
        prefetch = Prefetch(blocks, lambda block: block_runs(self.codec, self.settings, block))
        try:
            while not stop.is_set():
                found = prefetch.next(STEP_S)
                if isinstance(found, Ended):
                    self._finish()
                    on_progress(self.report)
                    return
                if found is not None and self._waited(found[0], stop):
                    self._publish(*found)
                    on_progress(self.report)
        finally:
            prefetch.close()

    def _waited(self, block: Block, stop: Event) -> bool:
        """Wait until a block is due; False where the feed was stopped before."""
        while (wait_s := self.pace.wait_s(block.ts_event)) > 0:
            if stop.wait(min(wait_s, STEP_S)):
                return False
        return True

    def _publish(self, block: Block, runs: Sequence[Run]) -> None:
        before = self.log.progress
        # If times go back a little, the time that heartbeats have promised stays.
        times = {**before.instruments}
        for name, ts in last_times(block.ticks).items():
            times[name] = max(ts, times.get(name, ts))
        beats = self._beats(times, block.floor)
        times.update({(beat.symbol, beat.venue): beat.ts_event for beat in beats})
        after = replace(
            before,
            position=block.next,
            published=before.published + block.published,
            rejected=before.rejected + block.rejected_count,
            ts_event=max(before.ts_event, block.ts_event or 0),
            instruments=times,
        )
        self.log.write([*runs, *news_runs(self.codec, self.settings, block), *self._beat_runs(beats)], after)
        self._note_late(block)
        self.report = replace(
            self.report.after(block), ts_event=after.ts_event, seconds=time.monotonic() - self.started
        )

    def _note_late(self, block: Block) -> None:
        for (symbol, venue), first in first_times(block.ticks).items() if self.reached else ():
            other = self.reached.get((symbol, venue))
            if other is not None and first < other.ts_event:
                of = (pl.col("symbol") == symbol) & (pl.col("venue") == venue)
                late = block.ticks.filter(of, pl.col("ts_event") < other.ts_event).height
                after = self.report.late_after or (
                    f"{other.feed} had published of {symbol}.{venue}, up to {time_to_json(other.ts_event)}"
                )
                self.report = replace(self.report, late=self.report.late + late, late_after=after)

    def _beats(self, times: Mapping[tuple[str, str], int], reached: int | None) -> list[Heartbeat]:
        """Return heartbeats of silent instruments. A replay has none: what it sends must not depend on its speed."""
        if reached is None or not self.feed.live:
            return []
        return [
            heartbeat(symbol, venue, reached)
            for (symbol, venue), ts in sorted(times.items())
            if reached - ts >= SILENCE_US
        ]

    def _finish(self) -> None:
        """Publish the closing heartbeats, so that each instrument's bars close."""
        grace_us = self.settings.bar_grace_ms * 1000
        beats = [
            heartbeat(symbol, venue, closing_ts(ts, grace_us), closing=True)
            for (symbol, venue), ts in sorted(self.log.progress.instruments.items())
        ]
        told = {(beat.symbol, beat.venue): beat.ts_event for beat in beats}
        self.log.write(self._beat_runs(beats), replace(self.log.progress, finished=True, instruments=told))
        self.report = replace(self.report, finished=True, seconds=time.monotonic() - self.started)

    def _beat_runs(self, beats: Sequence[Heartbeat]) -> list[Run]:
        return [event_run(self.codec, self.settings, TICKS, beat) for beat in beats]
