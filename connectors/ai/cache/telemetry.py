"""What the cache tells of itself in metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tradewind.connectors.ai.cache.cache import AnswerCache
from tradewind.connectors.telemetry import metrics
from tradewind.connectors.telemetry.metrics import KIND, Metric

Points = Iterable[tuple[float, dict[str, str]]]


def points_of(cache: AnswerCache) -> Callable[[Metric], Points]:
    """Return the function that says what a metric of the cache is now. For any thread."""

    def points(metric: Metric) -> Points:
        if metric is metrics.AI_CACHE_ANSWERS:
            return [(float(count), {KIND: where}) for where, count in list(cache.found.items())]
        if metric is metrics.AI_CACHE_SIZE:
            return [(float(cache.memory.bytes), {})]
        if metric is metrics.AI_CACHE_ENTRIES:
            return [(float(cache.memory.entries), {})]
        return []

    return points
