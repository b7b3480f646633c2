"""What feeds tell of themselves: what they have published and rejected, and how far they are in event time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tradewind.connectors.feeds.publishing.run import FeedReport
from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.metrics import FEED, Metric
from tradewind.connectors.telemetry.process import Telemetry

US_PER_S = 1_000_000


class FeedTelemetry:
    """Takes the reports of a process's feeds, from their threads, and passes them on."""

    def __init__(self, telemetry: Telemetry, names: Iterable[str], then: Callable[[FeedReport], None] | None) -> None:
        """Be asked from now on; the process is ready once each of `names` has reported."""
        self._reports: dict[str, FeedReport] = {}
        self._names = tuple(names)
        self._then = then
        if telemetry.instruments is not None:
            telemetry.instruments.add_source(self.points)
        telemetry.health.must_be_ready("feeds", self.not_ready)

    def __call__(self, report: FeedReport) -> None:
        """Take a report."""
        self._reports[report.feed] = report
        if self._then is not None:
            self._then(report)

    def not_ready(self) -> list[str]:
        """Return which feeds have published nothing yet."""
        return [f"{name} has published nothing yet" for name in self._names if name not in self._reports]

    def points(self, metric: Metric) -> list[tuple[float, dict[str, str]]]:
        """Return what a counter or gauge is now. For any thread."""
        read: dict[Metric, Callable[[FeedReport], float]] = {
            metrics.FEED_PUBLISHED: lambda of: of.published,
            metrics.FEED_REJECTED: lambda of: of.rejected,
            metrics.FEED_EVENT_TIME: lambda of: of.ts_event / US_PER_S,
        }
        if metric not in read:
            return []
        return [(read[metric](report), {FEED: name}) for name, report in list(self._reports.items())]
