"""An inbox gives back what was put, in order, and says truly whether it has room."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from runtime.records import INGEST_MS, LEASE

from tradewind.schemas.codec.batch import SLACK_BYTES, Joined
from tradewind.streams.runtime.read.chunk import CHUNK_RECORDS, Chunk
from tradewind.streams.runtime.read.inbox import INBOX_CHUNKS, INBOX_RECORDS, RETAINED_RECORDS, Inbox, take_fairly
from tradewind.streams.runtime.read.records import Records


def chunk_of(first: int, records: int) -> Chunk:
    """Return a chunk of so many records: an inbox counts them, and looks at the first."""
    offsets, same = np.arange(first, first + records), np.zeros(records, np.int64)
    values = Joined(bytes(SLACK_BYTES), same, same)
    return Chunk(("t", 0), LEASE, 1, first, Records(offsets, INGEST_MS + offsets, values, values), first + records)


class InboxMachine(RuleBasedStateMachine):
    """A list of chunks is the model, with all that was taken and not given back."""

    @initialize(retains=st.booleans())
    def begin(self, retains: bool) -> None:
        self.inbox, self.retains = Inbox(retains=retains), retains
        self.waiting: list[Chunk] = []
        self.taken: list[Chunk] = []
        self.freed = 0
        self.next = 0

    @rule(records=st.sampled_from([0, 1, CHUNK_RECORDS - 1, CHUNK_RECORDS]), times=st.sampled_from([1, 2, 15]))
    def put(self, records: int, times: int) -> None:
        for _ in range(times):
            put = chunk_of(self.next, records)
            self.next = put.next
            self.waiting.append(put)
            self.inbox.put(put)

    @precondition(lambda self: self.waiting)
    @rule(limit=st.sampled_from([1, CHUNK_RECORDS - 1, CHUNK_RECORDS]))
    def take(self, limit: int) -> None:
        """Cut a chunk that is longer than the limit; its rest goes on where the part ends."""
        oldest = self.waiting.pop(0)
        taken = self.inbox.take(limit)
        border = min(oldest.start + limit, oldest.next)
        assert (taken.start, taken.next, len(taken.records)) == (oldest.start, border, border - oldest.start)
        if border < oldest.next:
            self.waiting.insert(0, chunk_of(border, oldest.next - border))
        self.taken.append(taken)

    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        """Only a retaining inbox is told what went."""
        kept = self._kept()
        if kept:
            freed = data.draw(st.sampled_from([1, kept]))
            self.freed += freed
            self.inbox.free(freed)

    def _kept(self) -> int:
        return sum(len(of.records) for of in self.taken) - self.freed if self.retains else 0

    @invariant()
    def counts_what_waits(self) -> None:
        with_records = [of for of in self.waiting if len(of.records)]
        records = sum(len(of.records) for of in self.waiting)
        assert (len(self.inbox), self.inbox.records) == (len(self.waiting), records)
        assert self.inbox.first_ms == (with_records[0].records[0].timestamp if with_records else None)

    @invariant()
    def has_room_for_two_chunks_of_records_and_for_few_chunks(self) -> None:
        """Count what is taken and still held as records, and no more as a chunk."""
        records = sum(len(of.records) for of in self.waiting) + self._kept()
        most = RETAINED_RECORDS if self.retains else 2 * CHUNK_RECORDS
        assert self.inbox.has_room == (records < most and len(self.waiting) < INBOX_CHUNKS)


TestInbox = InboxMachine.TestCase
TestInbox.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_room_ends_at_the_bound_and_not_before() -> None:
    """The last chunk that fits is fetched while the others wait."""
    inbox = Inbox(retains=False)
    inbox.put(chunk_of(0, INBOX_RECORDS - 1))
    assert inbox.has_room
    inbox.put(chunk_of(INBOX_RECORDS, 1))
    assert not inbox.has_room
    for _ in range(2):
        inbox.take(INBOX_RECORDS)
    for number in range(INBOX_CHUNKS):
        assert inbox.has_room
        inbox.put(chunk_of(number, 0))
    assert not inbox.has_room


def test_room_is_for_two_full_chunks() -> None:
    """One is processed while the next is fetched."""
    inbox = Inbox(retains=False)
    inbox.put(chunk_of(0, CHUNK_RECORDS))
    assert inbox.has_room
    inbox.put(chunk_of(CHUNK_RECORDS, CHUNK_RECORDS))
    assert not inbox.has_room


@pytest.mark.parametrize("retains", [True, False])
def test_what_is_held_takes_room_until_it_is_given_back(retains: bool) -> None:
    """The memory of a held input is bounded too; another input's records are gone once they are taken."""
    inbox = Inbox(retains=retains)
    inbox.put(chunk_of(0, RETAINED_RECORDS - 1))
    assert inbox.has_room
    inbox.put(chunk_of(RETAINED_RECORDS - 1, 1))
    assert inbox.has_room != retains
    for _ in range(2):
        inbox.take(RETAINED_RECORDS)
    assert inbox.has_room != retains
    if retains:
        inbox.free(1)
        assert inbox.has_room
        inbox.put(chunk_of(RETAINED_RECORDS, 1))
        assert not inbox.has_room
        inbox.free(1)
        assert inbox.has_room


waiting = st.dictionaries(
    st.sampled_from(["requests", "events", "switches"]), st.lists(st.integers(0, 30), max_size=4), min_size=1
)


@given(waiting, st.integers(1, 60))
def test_each_input_of_a_task_has_its_share_of_a_batch(counts: dict[str, list[int]], limit: int) -> None:
    """A backlog of one takes what the others leave; fewer than twice the limit are taken, and in order."""
    inboxes = {name: Inbox(retains=False) for name in counts}
    for name, of in counts.items():
        at = 0
        for count in of:
            inboxes[name].put(chunk_of(at, count))
            at += count
    queued = {name: sum(max(1, count) for count in of) for name, of in counts.items()}
    taken = dict.fromkeys(counts, 0)
    positions = dict.fromkeys(counts, 0)
    for name, chunk in take_fairly(inboxes, limit):
        assert chunk.start == positions[name]
        positions[name] = chunk.next
        taken[name] += max(1, len(chunk.records))
    asking = [name for name, count in queued.items() if count]
    assert min(limit, sum(queued.values())) <= sum(taken.values()) <= max(2 * limit - 1, len(asking))
    for name in asking:
        assert taken[name] >= min(queued[name], limit // len(asking))


def test_nothing_is_taken_of_an_empty_inbox() -> None:
    """Whoever takes has looked at its length."""
    with pytest.raises(IndexError):
        Inbox(retains=True).take(1)
