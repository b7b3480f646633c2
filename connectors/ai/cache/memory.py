"""Answers in the memory of the process: the least recently used ones give way."""

from __future__ import annotations

import time
from collections.abc import Callable

from cachetools import TTLCache

from tradewind.connectors.ai.cache.kept import Kept

BYTES = 256 * 1024 * 1024
SECONDS = 15 * 60.0
OVERHEAD_BYTES = 1_024
"""Of an entry: its key, and the objects that hold it."""


class MemoryAnswers:
    """Answers by key, at most `most_bytes` of them, each for `seconds`."""

    def __init__(
        self, most_bytes: int = BYTES, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept: TTLCache[str, Kept] = TTLCache(most_bytes, seconds, timer=clock, getsizeof=_size)

    def get(self, key: str) -> Kept | None:
        """Return an answer; None if there is none."""
        return self._kept.get(key)

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer, unless it is larger than all that may be kept."""
        if _size(kept) <= self._kept.maxsize:
            self._kept[key] = kept

    @property
    def entries(self) -> int:
        """How many answers are kept. For any thread."""
        return len(self._kept)

    @property
    def bytes(self) -> int:
        """How many bytes they take, about. For any thread."""
        return int(self._kept.currsize)


def _size(kept: Kept) -> int:
    return kept.size + OVERHEAD_BYTES
