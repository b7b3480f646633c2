"""The state of one task: committed values, and over them what the current transaction has written."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from tradewind.schemas.codec import UndecodableRecord
from tradewind.schemas.event import Event
from tradewind.streams.runtime.errors import StateUnreadable

E = TypeVar("E", bound=Event)
RESERVED = "@"  # keys that begin so belong to the runtime: what it must restore together with the processor's state
Writes = dict[str, Event | None]


class TaskState:
    """Values by key, in three layers: what the current segment writes, what the batch wrote before, what is committed.

    Values are frozen models. A layer maps a deleted key to None. Nothing here is shared between threads. What was
    restored stays encoded until it is asked for: most keys of a large state are not, and decoding them all took longer
    than reading them.
    """

    def __init__(
        self, values: Mapping[str, Event | bytes] | None = None, decode: Callable[[bytes], Event] | None = None
    ) -> None:
        """Begin with committed values, for those that are encoded with what decodes them."""
        self._values = dict(values or {})
        self._decode = decode
        self._sorted = sorted(self._values)
        self._batch: Writes = {}
        self._segment: Writes = {}

    def get(self, key: str, model: type[E]) -> E | None:
        """Return the value, or None where there is none; raises `TypeError` where it is of another model."""
        value: Event | None
        if key in self._segment:
            value = self._segment[key]
        elif key in self._batch:
            value = self._batch[key]
        else:
            value = self._committed(key)
        if value is not None and not isinstance(value, model):
            raise TypeError(f"state {key!r} holds a {type(value).__name__}, not a {model.__name__}")
        return value

    def _committed(self, key: str) -> Event | None:
        value = self._values.get(key)
        if isinstance(value, bytes):
            assert self._decode is not None  # given with the encoded values
            try:
                value = self._values[key] = self._decode(value)
            except UndecodableRecord as cause:
                raise StateUnreadable(f"state {key!r}: the changelog's record is not a state ({cause})") from cause
        return value

    def put(self, key: str, value: Event) -> None:
        """Set a value; raises `ValueError` for a key that belongs to the runtime."""
        _check(key)
        self._segment[key] = value

    def delete(self, key: str) -> None:
        """Remove a value; does nothing where there is none."""
        _check(key)
        self._segment[key] = None

    def keys(self, prefix: str) -> Iterator[str]:
        """Iterate over the keys with a prefix as they are now, sorted; without those of the runtime."""
        found = self._committed_keys(prefix)
        written = {key: value for layer in (self._batch, self._segment) for key, value in layer.items()}
        changed = {key for key in written if key.startswith(prefix) and not key.startswith(RESERVED)}
        if changed:
            found = sorted({*found, *changed} - {key for key in changed if written[key] is None})
        return iter(found)

    def _committed_keys(self, prefix: str) -> list[str]:
        keys, found = self._sorted, []
        for at in range(bisect_left(keys, prefix), len(keys)):
            if not keys[at].startswith(prefix):
                break
            if not keys[at].startswith(RESERVED):
                found.append(keys[at])
        return found

    def put_reserved(self, key: str, value: Event) -> None:
        """Set a value of the runtime; its key begins with `@`."""
        if not key.startswith(RESERVED):
            raise ValueError(f"{key!r}: keys of the runtime begin with {RESERVED}")
        self._segment[key] = value

    def accept_segment(self) -> None:
        """Keep what the current segment wrote."""
        self._batch.update(self._segment)
        self._segment.clear()

    def drop_segment(self) -> None:
        """Forget what the current segment wrote: the state is again what it was before it."""
        self._segment.clear()

    def segment_writes(self) -> Writes:
        """Return what the current segment wrote so far."""
        return self._segment

    def writes(self) -> Writes:
        """Return what the batch wrote, for the changelog: key -> value, None where it was deleted."""
        return {key: value for key, value in self._batch.items() if value is not None or key in self._values}

    def keep(self) -> None:
        """Make the batch's writes the committed state, once the transaction that carries them has committed."""
        for key, value in self._batch.items():
            if value is None:
                if self._values.pop(key, None) is not None:
                    del self._sorted[bisect_left(self._sorted, key)]
            else:
                if key not in self._values:
                    insort(self._sorted, key)
                self._values[key] = value
        self._batch.clear()

    def drop(self) -> None:
        """Forget all that is not committed."""
        self._segment.clear()
        self._batch.clear()

    def __len__(self) -> int:
        """How many values are committed."""
        return len(self._values)


def _check(key: str) -> None:
    if key.startswith(RESERVED):
        raise ValueError(f"{key!r}: keys that begin with {RESERVED} belong to the runtime")
