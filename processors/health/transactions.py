"""Open transactions: who holds back readers, since when, and whether the transaction will end by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Place: TypeAlias = tuple[str, int]
"""(topic, partition)."""
Verdict: TypeAlias = Literal["OPEN", "LONG", "HANGING"]
WORST: tuple[Verdict, ...] = ("HANGING", "LONG", "OPEN")
LONG_S = 5.0
"""Transactions of agents, feeds and sinks last under a second; readers wait for all of it."""
CHECKS_S = 15.0
"""How long after its time-out Kafka may take to abort a transaction: coordinators look every 10 s."""


@dataclass(frozen=True, slots=True)
class Coordinated:
    """A transaction that a coordinator knows to be open."""

    transactional_id: str
    producer_id: int
    epoch: int
    state: str
    """Kafka's own word, such as Ongoing."""
    started_s: float | None
    """None before its first record."""
    timeout_s: float
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Writing:
    """A producer that has a transaction open on a partition, as the partition's leader knows it."""

    place: Place
    producer_id: int
    epoch: int
    coordinator_epoch: int
    first_offset: int
    """Where its transaction begins: readers come no further."""
    last_s: float
    """When it last wrote, s since 1970."""


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """One open transaction, joined from both sides."""

    producer_id: int
    epoch: int
    transactional_id: str | None
    """None where no coordinator knows of it: nothing will ever end it."""
    state: str
    since_s: float
    """When it began; where no coordinator knows, when its producer last wrote."""
    timeout_s: float | None
    writing: tuple[Writing, ...]
    """The partitions on which it holds readers back."""
    places: tuple[Place, ...]
    verdict: Verdict

    def age_s(self, now: float) -> float:
        """Return how long it has been open, s."""
        return max(0.0, now - self.since_s)


def joined(coordinated: Iterable[Coordinated], writing: Iterable[Writing], now: float) -> tuple[OpenTransaction, ...]:
    """Return the open transactions, hanging ones first, then the oldest."""
    by_producer: dict[int, list[Writing]] = {}
    for one in writing:
        by_producer.setdefault(one.producer_id, []).append(one)
    known = {one.producer_id: one for one in coordinated}
    found = [_one(producer, known.get(producer), by_producer, now) for producer in {*known, *by_producer}]
    return tuple(sorted(found, key=lambda one: (WORST.index(one.verdict), one.since_s, one.producer_id)))


def verdict_of(of: Coordinated | None, age_s: float) -> Verdict:
    """Return whether a transaction will end soon, is long, or hangs.

    Kafka aborts a transaction some seconds after its time-out. One that is older, or that no coordinator knows, hangs.
    A transaction that begins just after coordinators were asked is unknown to them, so only an old one hangs.
    """
    if of is None:
        return "HANGING" if age_s > CHECKS_S else "OPEN"
    if age_s > of.timeout_s + CHECKS_S:
        return "HANGING"
    return "LONG" if age_s > LONG_S else "OPEN"


def _one(
    producer: int, known: Coordinated | None, by_producer: Mapping[int, list[Writing]], now: float
) -> OpenTransaction:
    writing = tuple(sorted(by_producer.get(producer, ()), key=lambda one: one.place))
    last = max((one.last_s for one in writing), default=now)
    since = known.started_s if known is not None and known.started_s is not None else last
    places = {one.place for one in writing} | set(() if known is None else known.places)
    return OpenTransaction(
        producer_id=producer,
        epoch=known.epoch if known is not None else writing[0].epoch,
        transactional_id=None if known is None else known.transactional_id,
        state="unknown to its coordinator" if known is None else known.state,
        since_s=since,
        timeout_s=None if known is None else known.timeout_s,
        writing=writing,
        places=tuple(sorted(places)),
        verdict=verdict_of(known, max(0.0, now - since)),
    )
