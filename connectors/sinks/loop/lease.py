"""A lease: a partition from its assignment to its revocation, what was taken from it and how far it is written."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from confluent_kafka import Message

from tradewind.connectors.sinks.sink import Origin
from tradewind.topics import Topic


@dataclass(slots=True, eq=False)
class Lease:
    """The writer sets `claimed`, `start`, `epoch`, `fenced` and `written`; the consumer's thread sets the rest."""

    topic: Topic
    partition: int
    live: bool = True
    """False once the partition was revoked: nothing of it is written or committed any more."""
    opened: bool = False
    """Whether its position is known, and the client reads on from there."""
    claimed: bool = False
    """Whether the store has answered with `start` and `epoch`."""
    start: int | None = None
    epoch: int = 0
    fenced: bool = False
    """Whether the store said that another process claimed the partition since."""
    messages: list[Message] = field(default_factory=list)
    """Taken and not handed to the writer."""
    size: int = 0
    """Encoded bytes of `messages`."""
    since_s: float = 0.0
    """When the first of `messages` (or the position) came, on the monotonic clock."""
    repeated: int = 0
    """Records from before the position that the client delivered."""
    next_offset: int = 0
    """Position after everything taken."""
    handed: int = 0
    """Position after everything handed to the writer."""
    written: int = 0
    """Position after everything written."""
    committed: int = 0
    """Position that was committed to Kafka."""

    @property
    def origin(self) -> Origin:
        """Topic and partition."""
        return self.topic.name, self.partition

    @property
    def pending(self) -> bool:
        """Whether there is something to hand over: records, or a position past what is written."""
        return self.next_offset > self.handed

    def add(self, messages: list[Message], size: int, now_s: float) -> int:
        """Take records, in order, and return how many; those from before the position are left out.

        Whatever the client delivers, memory holds only what can be handed over: a record from before the position would
        set the position back, and would wait for ever.
        """
        if messages[0].offset() < self.next_offset:
            delivered = len(messages)
            messages = messages[bisect_left(messages, self.next_offset, key=lambda message: message.offset()) :]
            size = sum(map(len, messages))
            self.repeated += delivered - len(messages)
        if not messages:
            return 0
        if not self.pending:
            self.since_s = now_s
        self.messages += messages
        self.size += size
        self.next_offset = messages[-1].offset() + 1
        return len(messages)

    def note_end(self, offset: int, now_s: float) -> None:
        """Note that the end of the partition is here: what lies before are markers of transactions."""
        if offset > self.next_offset:
            if not self.pending:
                self.since_s = now_s
            self.next_offset = offset

    def hand_over(self) -> Run:
        """Return the records taken so far, and begin an empty run."""
        run = Run(self, self.messages, self.size, self.next_offset, self.handed)
        self.messages, self.size, self.handed = [], 0, self.next_offset
        return run

    def open_at(self, offset: int, now_s: float) -> None:
        """Start reading at `offset`: what is before it, and was not taken, counts as written."""
        if self.next_offset == 0:
            self.next_offset = self.handed = self.written = self.committed = offset
        self.note_end(offset, now_s)
        self.opened = True


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Consecutive records of a lease, on the way to the store."""

    lease: Lease
    messages: list[Message]
    size: int
    next_offset: int
    begin: int = 0
    """Position after the run before it."""
