"""Run several feeds in one process, each with its own position; the first failure stops them all.

They run side by side, but for the parts of a series, such as the days of one instrument: those follow one another, for
side by side each would make the others late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from itertools import pairwise
from threading import Event

from tradewind.connectors.feeds.feed import Dated, Feed, FeedError
from tradewind.connectors.feeds.publishing.run import FeedReport, run_feed
from tradewind.connectors.settings import Settings

MOST_FEEDS = 64  # threads and producers of one process


def run_feeds(
    feeds: Sequence[Feed],
    settings: Settings,
    *,
    speed: float | None = None,
    stop: Event | None = None,
    on_progress: Callable[[FeedReport], None] | None = None,
) -> list[FeedReport]:
    """Publish feeds until all have ended or `stop` is set; returns the reports of those that ran, in the order given.

    `on_progress` is called by several threads. Raises `FeedError` and `StreamError` of the first feed that fails, once
    the others have stopped after their blocks.
    """
    twice = [name for name, count in Counter(feed.name for feed in feeds).items() if count > 1]
    if twice:
        raise FeedError(f"feed {twice[0]} is given twice: a feed has one position")
    if len(feeds) > MOST_FEEDS:
        raise FeedError(f"{len(feeds)} feeds: one process runs at most {MOST_FEEDS}")
    stop = stop or Event()
    reports: dict[str, FeedReport] = {}

    def run(parts: Sequence[Feed]) -> None:
        for feed in parts:
            if not stop.is_set():
                reports[feed.name] = run_feed(feed, settings, speed=speed, stop=stop, on_progress=on_progress)

    series = in_series(feeds)
    with ThreadPoolExecutor(max_workers=max(len(series), 1), thread_name_prefix="feed") as pool:
        runs = [pool.submit(run, parts) for parts in series]
        try:
            done, _ = wait(runs, return_when=FIRST_EXCEPTION)
            failures = [error for run in done if (error := run.exception()) is not None]
        finally:
            stop.set()  # those that still run, where one failed or the wait was interrupted
    if failures:
        raise failures[0]
    return [reports[feed.name] for feed in feeds if feed.name in reports]


def in_series(feeds: Sequence[Feed]) -> list[list[Feed]]:
    """Return the feeds by series, the oldest part first; a feed that names no series is one of its own.

    Raises `FeedError` where two parts begin at the same time: whichever came second would be late.
    """
    found: dict[str, list[Feed]] = {}
    alone: list[list[Feed]] = []
    for feed in feeds:
        if isinstance(feed, Dated):
            found.setdefault(feed.series, []).append(feed)
        else:
            alone.append([feed])
    for series, parts in found.items():
        parts.sort(key=_begin)
        for earlier, later in pairwise(parts):
            if _begin(earlier) == _begin(later):
                raise FeedError(
                    f"{earlier.name} and {later.name} both are the quotes of {series} from the same time on: "
                    "publish one of them"
                )
    return [*found.values(), *alone]


def _begin(feed: Feed) -> int:
    assert isinstance(feed, Dated)
    return feed.begins_us
