"""Compare a slice of topics with the same topics of another namespace, event by event.

Records are matched within their partition by the event's id; quotes and trades by instrument and sequence. Values are
compared without `ts_ingest`, and headers and record times are left out: they tell when something was processed. So are
the heartbeats of topics that get only the newest of each transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from hashlib import blake2b
from typing import Any

import polars as pl

from tradewind.connectors.copying.errors import CopyRefused
from tradewind.connectors.copying.slice import Slice, times_of
from tradewind.connectors.copying.source import Origin, Source
from tradewind.schemas.codec import Codec, UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.topics import Topic

MOST = 2_000_000
"""Records of one partition that are held as digests: some 400 MB."""
DIGEST_BYTES = 16
INGEST = "ts_ingest"
SEQUENCE = ("symbol", "venue", "seq")


@dataclass(frozen=True, slots=True)
class Difference:
    """The first event that differs."""

    at: str
    """topic/partition@offset of both."""
    kind: str
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Field -> both values."""

    def __str__(self) -> str:
        told = "; ".join(f"{name}: {one!r}, {other!r}" for name, (one, other) in self.fields.items())
        return f"{self.at}: {self.kind}" + (f": {told}" if told else "")


@dataclass(slots=True)
class Compared:
    """What was compared of a topic."""

    topic: str
    equal: int = 0
    missing: int = 0
    """Only in the source."""
    extra: int = 0
    """Only in the other namespace."""
    different: int = 0
    first: Difference | None = None

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.extra or self.different)


@dataclass(frozen=True, slots=True)
class _Entry:
    identity: bytes
    content: bytes
    offset: int
    value: bytes | None


@dataclass(slots=True)
class Comparing:
    """Compares the partitions that two sources have."""

    one: Source
    other: Source
    slice: Slice
    codec: Codec

    def topics(self) -> Iterator[Compared]:
        """Yield what each topic has. Raises `CopyRefused` for a partition that is too large, and what sources raise."""
        low, others = self.one.partitions(), self.other.partitions()
        for topic in self.slice.topics:
            result = Compared(topic.name)
            for origin in sorted({at for at in (*low, *others) if at[0] == topic.name}):
                self._partition(topic, origin, (low.get(origin), others.get(origin)), result)
            yield result

    def _partition(self, topic: Topic, origin: Origin, low: tuple[int | None, int | None], result: Compared) -> None:
        ours: dict[bytes, list[_Entry]] = {}
        for held, entry in enumerate(self._entries(self.one, topic, origin, low[0])):
            if held == MOST:
                raise CopyRefused(f"{origin[0]}/{origin[1]} has over {MOST:,} records in the range: narrow it")
            ours.setdefault(entry.identity, []).append(replace(entry, value=None))
        for entry in self._entries(self.other, topic, origin, low[1]):
            known = ours.get(entry.identity)
            if not known:
                result.extra += 1
                self._note(result, Difference(f"{topic.name}/{origin[1]}@-,{entry.offset}", "extra"))
                continue
            match = known.pop(0)
            if not known:
                del ours[entry.identity]
            if match.content == entry.content:
                result.equal += 1
            else:
                result.different += 1
                if result.first is None:
                    result.first = self._difference(topic, origin, match, entry)
        left = sorted((entry for entries in ours.values() for entry in entries), key=lambda one: one.offset)
        result.missing += len(left)
        if left:
            self._note(result, Difference(f"{topic.name}/{origin[1]}@{left[0].offset},-", "missing"))

    def _note(self, result: Compared, difference: Difference) -> None:
        result.first = result.first or difference

    def _entries(self, source: Source, topic: Topic, origin: Origin, low: int | None) -> Iterator[_Entry]:
        for rows in source.pieces(origin, low) if low is not None else ():
            inside = rows.filter(self.slice.holds(times_of(rows, topic, self.slice.by, self.codec)))
            for offset, key, value in inside.select("offset", "key", "value").iter_rows():
                entry = self._entry(topic, offset, key, value)
                if entry is not None:
                    yield entry

    def _entry(self, topic: Topic, offset: int, key: bytes | None, value: bytes | None) -> _Entry | None:
        try:
            event = None if value is None else self.codec.decode(value)
        except UndecodableRecord:
            event = None
        if event is None:
            whole = _digest(repr((key, value)))
            return _Entry(whole, whole, offset, value)
        if topic.newest_time and type(event) is topic.time_carrier:
            return None
        bare = replace(event, **{INGEST: 0}) if hasattr(event, INGEST) else event  # type: ignore[type-var]
        content = _digest(repr((key, self.codec.encode(bare))))
        return _Entry(_identity(event) or content, content, offset, value)

    def _difference(self, topic: Topic, origin: Origin, match: _Entry, entry: _Entry) -> Difference:
        """Return the fields that differ; the record of the first source is read again."""
        at = f"{topic.name}/{origin[1]}@{match.offset},{entry.offset}"
        rows = next(self.one.pieces(origin, match.offset), pl.DataFrame())
        one = self.codec.decode(rows["value"][0])
        other = self.codec.decode(entry.value or b"")
        if type(one) is not type(other):
            return Difference(at, f"a {type(one).__name__}, and a {type(other).__name__}")
        names = [of.name for of in fields(one) if of.name != INGEST]  # type: ignore[arg-type]
        pairs = {name: (getattr(one, name), getattr(other, name)) for name in names}
        return Difference(at, "different", {name: pair for name, pair in pairs.items() if pair[0] != pair[1]})


def _identity(event: Event) -> bytes | None:
    """Return what tells an event from others of its type; None if only its content does."""
    event_id = getattr(event, "event_id", None)
    if event_id is not None:
        return _digest(repr((type(event).__name__, event_id)))
    if all(hasattr(event, name) for name in SEQUENCE):
        return _digest(repr((type(event).__name__, *(getattr(event, name) for name in SEQUENCE))))
    return None


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()
