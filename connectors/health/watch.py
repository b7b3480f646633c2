"""One look at what flows: totals, topics with their rates, and the lag of groups."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tradewind.connectors.health.counter import Counter
from tradewind.connectors.health.flow import Flow, Lag
from tradewind.connectors.health.ledger import Ledger, Partition
from tradewind.connectors.health.names import TOTALS, Known
from tradewind.connectors.health.writers import decoder
from tradewind.connectors.settings import Settings

LIST_EVERY_S = 5.0
"""How often new topics and groups are looked for."""
OTHERS_S = 4.0
"""How long after its last sample another process is taken to count: it takes one each second."""
TOTAL = "total:"
"""Marks the samples of totals among those of topics."""


@dataclass(frozen=True, slots=True)
class TopicFlow:
    """What a topic has carried since the last reset."""

    name: str
    records: int
    """Committed records, those that retention has since removed among them; markers of transactions are none."""
    rate_per_s: float


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look saw."""

    totals: Mapping[str, int]
    """Each of `TOTALS` -> distinct events since the last reset."""
    rates: Mapping[str, float]
    """Each of `TOTALS` -> distinct events per second, over the last seconds."""
    topics: tuple[TopicFlow, ...]
    lags: tuple[Lag, ...]
    uncounted: int
    """Offsets that were still to count when the time was up; 0 where the totals are exact."""


class Watch:
    """Looks at Kafka, again and again. Not safe for threads."""

    def __init__(self, settings: Settings, data: Path, known: Known, remember_s: float = 0.0) -> None:
        """Open the ledger of a data folder; `remember_s` is how far back looks tell how old unread records are."""
        self._ledger = Ledger(data)
        self._sampled_s = 0.0
        self._flow = Flow(settings, known, remember_s)
        self._partitions: list[Partition] = []
        self._groups: list[str] = []
        self._listed = -LIST_EVERY_S
        self._counter = Counter(settings, self._ledger, decoder(settings, self._ledger), known)

    def close(self) -> None:
        """Close the connections and the ledger."""
        self._counter.close()
        self._flow.close()
        self._ledger.close()

    def look(self, timeout_s: float, *, ages: bool = True, shared: bool = False) -> Glance:
        """Count to the present end of every topic and look at the groups; counting stops when the time is up.

        `ages` tells how many seconds the groups are behind, which costs a fetch for each partition that is. With
        `shared`, this process only counts while no other one has for some seconds: counting reads every record.
        Raises `KafkaException` where Kafka does not answer, `RegistryError` where the registry is needed and does not.
        """
        if time.monotonic() >= self._listed + LIST_EVERY_S:
            self._partitions, self._groups = self._flow.partitions(), self._flow.groups()
            self._listed = time.monotonic()
        ends = self._flow.ends(self._partitions)
        counts = not shared or not self._counted_by_another()
        uncounted = self._counter.count_to(ends, timeout_s) if counts else self._counter.missing(ends)
        totals = {**dict.fromkeys(TOTALS, 0), **self._ledger.totals()}
        records = dict.fromkeys((topic for topic, _ in ends), 0)
        for (topic, _), position in self._counter.positions.items():
            if topic in records:
                records[topic] += position.records
        now = time.time()
        if counts:
            self._ledger.sample(now, {**records, **{TOTAL + name: events for name, events in totals.items()}})
            self._sampled_s = now
        rates = self._ledger.rates(now)
        return Glance(
            totals=totals,
            rates={name: rates.get(TOTAL + name, 0.0) for name in TOTALS},
            topics=tuple(TopicFlow(topic, count, rates.get(topic, 0.0)) for topic, count in sorted(records.items())),
            lags=tuple(self._flow.lags(self._groups, ends, self._counter.positions, ages=ages)),
            uncounted=uncounted,
        )

    def _counted_by_another(self) -> bool:
        newest = self._ledger.newest_sample_s()
        return newest is not None and newest != self._sampled_s and newest > time.time() - OTHERS_S

    @property
    def sampled(self) -> bool:
        """Whether there are samples enough of the last seconds to tell rates by."""
        return bool(self._ledger.rates(time.time()))


def last_totals(data: Path) -> dict[str, int]:
    """Return the totals as they were last counted; for when Kafka is not there to ask.

    All are 0 where the file of the count cannot be opened: SQLite needs room beside it, which a full disk has not.
    """
    none = dict.fromkeys(TOTALS, 0)
    try:
        with closing(Ledger(data)) as ledger:
            return {**none, **ledger.totals()}
    except sqlite3.Error:
        return none
