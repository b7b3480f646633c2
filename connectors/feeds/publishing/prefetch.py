"""Read, parse and encode the next blocks in a thread while the one before is being published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

from tradewind.connectors.feeds.feed import Block

AHEAD_BLOCKS = 2  # one being published, one ready: more would only take memory
NOTICE_S = 0.1  # how soon the thread sees that it is stopped

T = TypeVar("T")


class Ended:
    """The source ended."""


class Prefetch(Generic[T]):
    """The blocks of a feed, each with what `prepare` makes of it."""

    def __init__(self, blocks: Iterator[Block], prepare: Callable[[Block], T]) -> None:
        self._blocks = blocks
        self._prepare = prepare
        self._queue: Queue[tuple[Block, T] | Ended | BaseException] = Queue(AHEAD_BLOCKS)
        self._stopped = Event()
        Thread(target=self._work, name="feed", daemon=True).start()

    def next(self, timeout_s: float) -> tuple[Block, T] | Ended | None:
        """Return the next block; None where there is none yet. Raises what the feed raised."""
        try:
            found = self._queue.get(timeout=max(timeout_s, 0.0))
        except Empty:
            return None
        if isinstance(found, BaseException):
            raise found
        return found

    def close(self) -> None:
        """Let the thread end; a feed that waits for its source ends with the process."""
        self._stopped.set()

    def _work(self) -> None:
        try:
            for block in self._blocks:
                if not self._put((block, self._prepare(block))):
                    return
            self._put(Ended())
        except BaseException as error:  # noqa: BLE001 - raised again where the block is waited for
            self._put(error)

    def _put(self, found: tuple[Block, T] | Ended | BaseException) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(found, timeout=NOTICE_S)
            except Full:
                continue
            return True
        return False
