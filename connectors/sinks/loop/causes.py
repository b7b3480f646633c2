"""Why a sink does not go on, in words: the true cause, so that nobody looks for it in a store that is idle."""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.connectors.sinks.loop.lease import Lease


@dataclass(frozen=True, slots=True)
class Doing:
    """What the writer has in hand."""

    what: str
    since_s: float
    """On the monotonic clock."""


def not_read(lease: Lease, *, paused: bool, keeps: bool) -> str:
    """Return why a partition that the group gave is not read yet."""
    if paused:
        return "there is no room for more"
    who = "the store" if keeps and not lease.claimed else "Kafka"
    return f"{who} has not reported its position"


def no_room(taken: int, with_writer: int) -> str:
    """Return why nothing more is taken, where so many records are, some of which the writer has."""
    if with_writer:
        return f"the store is slow or down: {taken} records taken, {with_writer} of them with the store's writer"
    return f"{taken} records taken wait in memory, and none was handed to the store, which is idle"


def stands(lease: Lease, doing: Doing | None, trouble: str | None, now_s: float) -> str:
    """Return why the position of a partition that is read does not move."""
    if trouble is not None:
        return trouble
    if doing is not None:
        return f"the store is busy, {doing.what} for {now_s - doing.since_s:.0f} s"
    if lease.messages:
        return f"{len(lease.messages)} records of it wait in memory, and the store is idle"
    left_out = f"; {lease.repeated} records from before the position were left out" if lease.repeated else ""
    return f"the store is idle, and Kafka delivers nothing of it from offset {lease.next_offset} on{left_out}"
