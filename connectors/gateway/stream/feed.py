"""The newest records of each topic of account events, in the order in which they came, for all connections at once.

A connection keeps where it stands and takes its records from here, so that a slow client costs no memory. What it has
not taken when it falls out of here is lost to it, and it is told so. For the event loop's thread alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias, get_args

from cachetools import LRUCache

EventChannel: TypeAlias = Literal["signals", "decisions", "orders", "fills", "positions", "alerts"]
EVENT_CHANNELS: tuple[EventChannel, ...] = get_args(EventChannel)
KEPT: Final = 10_000
"""Records of a channel that are kept at least; at most twice as many."""
ENCODED: Final = 1_024
"""Records whose JSON is kept, so that a record is encoded once for all who get it."""
Offsets: TypeAlias = Mapping[int, int]
"""Partition -> the offset to go on with."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record."""

    partition: int
    offset: int
    tenant_id: str | None
    """None: for operators alone."""
    account_id: str | None
    symbol: str
    """`SYMBOL.VENUE`; empty where the event has none."""
    value: bytes
    """As it lies in Kafka."""


class Reader(Protocol):
    """Who follows a channel."""

    def arrived(self) -> None:
        """Note that there are further records."""
        ...


class Feed:
    """The newest records of one channel. They have running numbers, from 0 on in each process."""

    def __init__(self, encode: Callable[[bytes], bytes], kept: int = KEPT) -> None:
        """`encode` returns a record's value as JSON."""
        self._encode, self._kept = encode, kept
        self._lines: list[Line] = []
        self._encoded: LRUCache[int, bytes] = LRUCache(ENCODED)
        self._readers: set[Reader] = set()
        self._first: dict[int, int] = {}
        self.topic_id = ""
        """Kafka's id of the topic: another one means that it was created anew, and its offsets began again."""
        self.begin = 0
        """The number of the oldest record that is kept."""
        self.next: dict[int, int] = {}
        """Partition -> the offset behind all that came in."""

    @property
    def begun(self) -> bool:
        """Whether it is known where the partitions stand."""
        return bool(self.next)

    @property
    def end(self) -> int:
        """The number of the record that comes next."""
        return self.begin + len(self._lines)

    def start(self, offsets: Offsets, topic_id: str) -> None:
        """Begin anew: from these offsets on, all records will come in. Whoever followed lost its place."""
        self.topic_id = topic_id
        self.begin = self.end + 1  # no place of before is one of these
        self._lines.clear()
        self._first, self.next = dict(offsets), dict(offsets)
        self._tell()

    def add(self, lines: Iterable[Line]) -> None:
        """Add records, each partition in order."""
        for line in lines:
            self._lines.append(line)
            self.next[line.partition] = line.offset + 1
        if len(self._lines) > 2 * self._kept:
            gone = len(self._lines) - self._kept
            for line in self._lines[:gone]:
                self._first[line.partition] = line.offset + 1
            del self._lines[:gone]
            self.begin += gone
        self._tell()

    def line(self, number: int) -> Line:
        """Return a record by its number, which is kept."""
        return self._lines[number - self.begin]

    def newest(self, wanted: Callable[[Line], bool], limit: int) -> list[int]:
        """Return the numbers of the newest records that are wanted, oldest first."""
        found: list[int] = []
        for number in range(self.end - 1, self.begin - 1, -1):
            if len(found) == limit:
                break
            if wanted(self.line(number)):
                found.append(number)
        return found[::-1]

    def data(self, number: int) -> bytes:
        """Return a record as JSON."""
        found = self._encoded.get(number)
        if found is None:
            found = self._encoded[number] = self._encode(self.line(number).value)
        return found

    def reaches(self, offsets: Offsets) -> bool:
        """Return whether every record from these offsets on is kept, or will come."""
        return all(offsets.get(partition, 0) >= first for partition, first in self._first.items())

    def follow(self, reader: Reader) -> None:
        """Tell a reader of further records."""
        self._readers.add(reader)

    def leave(self, reader: Reader) -> None:
        """Tell a reader no more."""
        self._readers.discard(reader)

    def _tell(self) -> None:
        for reader in tuple(self._readers):
            reader.arrived()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records of a channel a client wants and may have."""

    tenant_id: str | None
    """None: of all tenants, for operators."""
    symbols: frozenset[str] = frozenset()
    """Empty: all."""
    account_id: str | None = None

    def __call__(self, line: Line) -> bool:
        """Return whether a record is one of them."""
        return (
            (self.tenant_id is None or line.tenant_id == self.tenant_id)
            and (not self.symbols or line.symbol in self.symbols)
            and (self.account_id is None or line.account_id == self.account_id)
        )


@dataclass(frozen=True, slots=True)
class Stood:
    """What there was before the records that follow."""

    rows: Sequence[Mapping[str, object]]
    offsets: Offsets
    """The first records that are not in it."""
