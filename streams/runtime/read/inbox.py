"""An inbox: a bounded queue of the chunks of one partition that wait for a transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping

from tradewind.streams.runtime.read.chunk import CHUNK_RECORDS, Chunk

INBOX_RECORDS = 2 * CHUNK_RECORDS  # enough to process while the next fetch is under way; some 6 MB of ticks
RETAINED_RECORDS = 10_000  # of an input that is held: one by one they take some 16 KB each
INBOX_CHUNKS = 16  # bounds large records, of which a fetch brings few


class Inbox:
    """Chunks of one partition, first in first out. Used by the main event loop only."""

    def __init__(self, *, retains: bool) -> None:
        """With `retains`, records that are taken still count as held until `free` gives them back."""
        self._most = RETAINED_RECORDS if retains else INBOX_RECORDS
        self._chunks: deque[Chunk] = deque()
        self._retains = retains
        self._records = 0
        self._retained = 0

    @property
    def has_room(self) -> bool:
        """Whether another chunk may be fetched."""
        return self._records + self._retained < self._most and len(self._chunks) < INBOX_CHUNKS

    @property
    def records(self) -> int:
        """How many records wait to be taken."""
        return self._records

    @property
    def first_ms(self) -> int | None:
        """The timestamp of the first waiting record, ms; None if no record waits."""
        return next((int(chunk.records.timestamps[0]) for chunk in self._chunks if chunk.records), None)

    def __len__(self) -> int:
        """How many chunks wait to be taken."""
        return len(self._chunks)

    def put(self, chunk: Chunk) -> None:
        """Queue a chunk, even without room: its fetch may have begun before the inbox was full."""
        self._chunks.append(chunk)
        self._records += len(chunk.records)

    def take(self, limit: int) -> Chunk:
        """Return the oldest chunk, cut to a number of records; raises `IndexError` if the inbox is empty."""
        chunk = self._chunks.popleft()
        if len(chunk.records) > limit:
            chunk, rest = chunk.split(limit)
            self._chunks.appendleft(rest)
        self._records -= len(chunk.records)
        if self._retains:
            self._retained += len(chunk.records)
        return chunk

    def free(self, records: int) -> None:
        """Stop counting records that a retaining inbox still counted."""
        self._retained -= records


def take_fairly(inboxes: Mapping[str, Inbox], limit: int) -> Iterator[tuple[str, Chunk]]:
    """Yield up to a number of records from a task's inboxes. Each inbox gets its share before another gets more.

    So a kill switch or a redriven record does not wait for the backlog of another input to end. Only what is longer
    than a share is cut, for each cut costs what a chunk does: it may become twice as many records, and no more.
    """
    waiting = [name for name, inbox in inboxes.items() if len(inbox)]
    while waiting and limit > 0:
        share = max(1, limit // len(waiting))
        for name in tuple(waiting):
            inbox, left = inboxes[name], share
            while len(inbox) and left > 0:
                chunk = inbox.take(share)
                counted = max(1, len(chunk.records))
                left -= counted
                limit -= counted
                yield name, chunk
            if not len(inbox):
                waiting.remove(name)
