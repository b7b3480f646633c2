"""Publish a feed exactly once: a block and the position after it are one transaction; a restart goes on from there.

How one process owns a feed, and what it does when Kafka fails, stands in `feed_log.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

from tradewind.connectors.feeds.encoding import block_runs, event_run, heartbeat, last_times
from tradewind.connectors.feeds.feed import Block, Feed, Rejection
from tradewind.connectors.feeds.feed_log import FeedLog
from tradewind.connectors.feeds.pace import Pace
from tradewind.connectors.feeds.prefetch import Ended, Prefetch
from tradewind.connectors.kafka.admin import ensure
from tradewind.connectors.kafka.producer import Run
from tradewind.connectors.registry import PATIENT_ATTEMPTS, open_codec
from tradewind.connectors.settings import Settings
from tradewind.schemas.codec import Codec
from tradewind.schemas.market import Heartbeat
from tradewind.topics import FEED_POSITIONS, TICKS, TRADES

REPORTED_LINES = 100  # rejected lines that a report quotes; all are counted
STEP_S = 0.2  # how soon a wait sees that the feed is stopped
MINUTE_US = 60_000_000
SILENCE_US = 1_000_000  # of an instrument of a live feed, after which a heartbeat says that time goes on


@dataclass(frozen=True, slots=True)
class FeedReport:
    """What a run has published so far."""

    feed: str
    position: int
    """Records of the source that were read, from its beginning."""
    published: int = 0
    """Ticks and trades of this run; heartbeats are not counted."""
    rejected: int = 0
    skipped: int = 0
    rejections: tuple[Rejection, ...] = ()
    """The first `REPORTED_LINES` of the rejected ones."""
    ts_event: int = 0
    seconds: float = 0.0
    finished: bool = False
    already: bool = False
    """The source was published whole before this run, which published nothing."""


def run_feed(
    feed: Feed,
    settings: Settings,
    *,
    speed: float | None = None,
    stop: Event | None = None,
    on_progress: Callable[[FeedReport], None] | None = None,
) -> FeedReport:
    """Publish a feed from where it was left to its end, or until `stop` is set; returns what this run did.

    `speed` is how many times faster than event time; None is as fast as it goes. A live feed has its own pace. Raises
    `FeedError` and `StreamError`; what was published until then stays, and the next run goes on after it.
    """
    ensure(settings, (TICKS, TRADES, FEED_POSITIONS))
    codec = open_codec(settings, PATIENT_ATTEMPTS)
    started = time.monotonic()
    with FeedLog(settings, codec, feed.name, feed.source) as log:
        publisher = _Publisher(feed, settings, Pace(speed, feed.live), codec, log, started)
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

    def __post_init__(self) -> None:
        position, finished = self.log.progress.position.record, self.log.progress.finished
        self.report = FeedReport(self.feed.name, position, finished=finished, already=finished)

    def run(self, stop: Event, on_progress: Callable[[FeedReport], None]) -> None:
        """Publish until the source ends or `stop` is set."""
        if self.log.progress.finished:
            return
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
        count = block.ticks.height + block.trades.height
        before = self.log.progress
        # A time that goes back a little does not take back what was told.
        times = {**before.instruments}
        for name, ts in last_times(block.ticks).items():
            times[name] = max(ts, times.get(name, ts))
        beats = self._beats(times, block.floor)
        times.update({(beat.symbol, beat.venue): beat.ts_event for beat in beats})
        after = replace(
            before,
            position=block.next,
            published=before.published + count,
            rejected=before.rejected + block.rejected_count,
            ts_event=max(before.ts_event, block.ts_event or 0),
            instruments=times,
        )
        self.log.write([*runs, *self._beat_runs(beats)], after)
        report = self.report
        self.report = replace(
            report,
            position=block.next.record,
            published=report.published + count,
            rejected=report.rejected + block.rejected_count,
            skipped=report.skipped + block.skipped,
            rejections=(*report.rejections, *block.rejected)[:REPORTED_LINES],
            ts_event=after.ts_event,
            seconds=time.monotonic() - self.started,
        )

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
        """Publish the closing heartbeats: past the end of each instrument's last minute, so that its bars close.

        No further than that, so that nothing of a next file is late which begins where this one ends.
        """
        grace_us = self.settings.bar_grace_ms * 1000
        beats = [
            heartbeat(symbol, venue, (ts // MINUTE_US + 1) * MINUTE_US + grace_us, closing=True)
            for (symbol, venue), ts in sorted(self.log.progress.instruments.items())
        ]
        told = {(beat.symbol, beat.venue): beat.ts_event for beat in beats}
        self.log.write(self._beat_runs(beats), replace(self.log.progress, finished=True, instruments=told))
        self.report = replace(self.report, finished=True, seconds=time.monotonic() - self.started)

    def _beat_runs(self, beats: Sequence[Heartbeat]) -> list[Run]:
        return [event_run(self.codec, self.settings, TICKS, beat) for beat in beats]
