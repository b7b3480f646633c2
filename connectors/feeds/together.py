"""Run several feeds side by side in one process, each with its own position; the first failure stops them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event

from tradewind.connectors.feeds.feed import Feed, FeedError
from tradewind.connectors.feeds.run import FeedReport, run_feed
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
    """Publish feeds side by side until all have ended or `stop` is set; returns their reports, in order.

    `on_progress` is called by several threads. Raises `FeedError` and `StreamError` of the first feed that fails, once
    the others have stopped after their blocks.
    """
    twice = [name for name, count in Counter(feed.name for feed in feeds).items() if count > 1]
    if twice:
        raise FeedError(f"feed {twice[0]} is given twice: a feed has one position")
    if len(feeds) > MOST_FEEDS:
        raise FeedError(f"{len(feeds)} feeds: one process runs at most {MOST_FEEDS}")
    stop = stop or Event()
    if len(feeds) == 1:
        return [run_feed(feeds[0], settings, speed=speed, stop=stop, on_progress=on_progress)]
    with ThreadPoolExecutor(max_workers=max(len(feeds), 1), thread_name_prefix="feed") as pool:
        runs = [
            pool.submit(run_feed, feed, settings, speed=speed, stop=stop, on_progress=on_progress) for feed in feeds
        ]
        try:
            done, _ = wait(runs, return_when=FIRST_EXCEPTION)
            failures = [error for run in done if (error := run.exception()) is not None]
        finally:
            stop.set()  # those that still run, where one failed or the wait was interrupted
    if failures:
        raise failures[0]
    return [run.result() for run in runs]
