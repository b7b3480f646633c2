"""What a door has counted since it was asked last: units by tenant, meter, dimension and month, numbered when taken.

A source is a door and its start, so a door that starts again is a new source and begins at 0. For a tenant that was
silent for long, the door begins anew in the same way, because `rating` forgets silent sources. What a killed door has
counted and not sent is lost, in the tenants' favour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Final

from tradewind.processors.billing.meters import METERS, STREAM_MS
from tradewind.processors.billing.sources import AGENTS, SILENT_US
from tradewind.processors.clock import month_end
from tradewind.processors.identity import derive_id
from tradewind.schemas.billing import Usage
from tradewind.schemas.event import US_PER_MS
from tradewind.schemas.ranges import NAME_CHARACTERS, UNITS_MAX

ANEW_US: Final = SILENT_US // 2  # of silence: well before `rating` forgets, and no number of a tenant is kept for ever
BEGINNING: Final = 12  # characters for the number of a beginning
MOST_COUNTERS: Final = 10_000  # 3 MB: a thousand tenants with ten dimensions each, between two takes


@dataclass(slots=True)
class _Counter:
    units: int
    last: int
    """When the newest of them were used, µs."""


@dataclass(slots=True)
class _Numbers:
    source: str
    next: int
    last: int
    """When the newest number was given, of the time that never steps, µs."""


@dataclass(slots=True)
class _Stream:
    tenant_id: str
    dimension: str
    since: int
    """Up to when it is counted, µs."""


class Tally:
    """Counts for one door; for any thread. `now` returns the clock time, µs, and `elapsed` one that never steps, µs."""

    def __init__(
        self,
        door: str,
        start: str,
        now: Callable[[], int],
        elapsed: Callable[[], int],
        most_counters: int = MOST_COUNTERS,
    ) -> None:
        self.source = f"{door}/{start}"
        if len(self.source) > NAME_CHARACTERS - BEGINNING or self.source.startswith(AGENTS):
            raise ValueError(
                f"{self.source!r} cannot name a door: agents number in their own names, and names are short"
            )
        self.dropped = 0
        """Units that had no counter, because there were too many. They are not charged."""
        self._most_counters = most_counters
        self._now = now
        self._elapsed = elapsed
        self._lock = Lock()
        self._counters: dict[tuple[str, str, str, int], _Counter] = {}
        self._streams: dict[int, _Stream] = {}
        self._opened = 0
        self._numbers: dict[str, _Numbers] = {}
        self._beginnings = 0

    def count(self, tenant_id: str, meter: str, dimension: str, units: int = 1) -> None:
        """Count units of a meter; less than one is nothing. Raises `ValueError` for an unknown meter."""
        if meter not in METERS:
            raise ValueError(f"there is no meter {meter!r}; meters are {', '.join(sorted(METERS))}")
        if units > 0:
            with self._lock:
                self._count(tenant_id, meter, dimension, units)

    @contextmanager
    def streaming(self, tenant_id: str, dimension: str) -> Iterator[None]:
        """Count the milliseconds for which a stream is open, also while it is."""
        with self._lock:
            self._opened += 1
            number = self._opened
            self._streams[number] = _Stream(tenant_id, dimension, self._elapsed())
        try:
            yield
        finally:
            with self._lock:
                self._roll(self._streams.pop(number))

    @property
    def full(self) -> bool:
        """Whether the counters should be taken soon."""
        return len(self._counters) > self._most_counters // 2

    def take(self) -> list[Usage]:
        """Return what was counted since the last call, numbered; whoever takes it must send it."""
        with self._lock:
            for stream in self._streams.values():
                self._roll(stream)
            counted, self._counters = self._counters, {}
            ingest = self._now()
            self._forget_silent()
            return [
                usage
                for (tenant_id, meter, dimension, _), counter in counted.items()
                for usage in self._records(tenant_id, meter, dimension, counter, ingest)
            ]

    def _count(self, tenant_id: str, meter: str, dimension: str, units: int) -> None:
        at = self._now()
        key = (tenant_id, meter, dimension[:NAME_CHARACTERS], month_end(at))
        counter = self._counters.get(key)
        if counter is not None:
            counter.units += units
            counter.last = max(counter.last, at)
        elif len(self._counters) < self._most_counters:
            self._counters[key] = _Counter(units, at)
        else:
            self.dropped += units

    def _roll(self, stream: _Stream) -> None:
        """Count the whole milliseconds of a stream since it was counted last."""
        ms = (self._elapsed() - stream.since) // US_PER_MS
        stream.since += ms * US_PER_MS
        if ms:
            self._count(stream.tenant_id, STREAM_MS, stream.dimension, ms)

    def _forget_silent(self) -> None:
        """Forget the numbers of silent tenants; who comes again begins at 0, under a source that nobody had before."""
        now = self._elapsed()
        silent = [tenant_id for tenant_id, numbers in self._numbers.items() if now - numbers.last > ANEW_US]
        for tenant_id in silent:
            del self._numbers[tenant_id]
        if silent:
            self._beginnings += 1

    def _number(self, tenant_id: str) -> tuple[str, int]:
        numbers = self._numbers.get(tenant_id)
        if numbers is None:
            source = f"{self.source}.{self._beginnings}" if self._beginnings else self.source
            numbers = self._numbers[tenant_id] = _Numbers(source, 0, 0)
        numbers.last = self._elapsed()
        numbers.next += 1
        return numbers.source, numbers.next - 1

    def _records(self, tenant_id: str, meter: str, dimension: str, counter: _Counter, ingest: int) -> Iterator[Usage]:
        left = counter.units
        while left:
            units = min(left, UNITS_MAX)
            left -= units
            source, sequence = self._number(tenant_id)
            event_id = derive_id("Usage", source, tenant_id, sequence)
            yield Usage(
                event_id=event_id,
                tenant_id=tenant_id,
                ts_event=counter.last,
                ts_ingest=max(ingest, counter.last),
                correlation_id=event_id,
                causation_id=event_id,
                meter=meter,
                dimension=dimension,
                quantity=units,
                source=source,
                sequence=sequence,
                billable=True,
            )
