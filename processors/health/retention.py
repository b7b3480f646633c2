"""How fast topics grow on disk, and how long what they hold will stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Sample = tuple[float, int]
"""(time, s; bytes of a partition at that time)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a topic holds, and for how long."""

    bytes: int | None
    """On the brokers' disks, replicas counted once; None where that is not known."""
    bytes_per_s: float | None
    """None before there were two looks."""
    limit_bytes: int | None
    """Of all partitions; None where nothing is removed by size."""
    full: float | None
    """Share of its limit that the fullest partition has reached; from 1.0 on Kafka removes the oldest segments."""
    keeps_s: float | None
    """How long a record stays at this rate, on the partition that grows fastest; None where nothing is removed, nothing
    comes in, or the rate is not known."""


def growth_per_s(samples: Sequence[Sample]) -> float | None:
    """Return the bytes per second that were added; None before there were two looks.

    Retention and compaction make a partition smaller. The time between two looks in which that happened tells nothing,
    and is left out.
    """
    added, took = 0, 0.0
    for (begun, before), (ended, after) in pairwise(samples):
        if after >= before and ended > begun:
            added += after - before
            took += ended - begun
    return added / took if took > 0 else None


def kept(samples: Mapping[int, Sequence[Sample]], partitions: int, limit: int | None) -> Kept:
    """Return what a topic holds, from the samples of its partitions; `limit` is retention's bytes for a partition."""
    whole = len(samples) == partitions and all(samples.values())
    now = {number: taken[-1][1] for number, taken in samples.items() if taken}
    rates = {number: rate for number, taken in samples.items() if (rate := growth_per_s(taken)) is not None}
    fastest = max(rates.values(), default=0.0)
    return Kept(
        bytes=sum(now.values()) if whole else None,
        bytes_per_s=sum(rates.values()) if len(rates) == partitions else None,
        limit_bytes=None if limit is None else limit * partitions,
        full=None if limit is None or not whole else max(now.values()) / limit,
        keeps_s=None if limit is None or fastest <= 0 else limit / fastest,
    )
